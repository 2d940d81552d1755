"""What Revela knows: pydantic and the standard library; no clock, no randomness, no I/O."""
