"""Where the demo runs and leaves its images."""

from local import engine

STATE_DIR = engine.STATE_DIR / "demo"
OUTPUT = engine.ROOT / "demo-output"
