"""What holds for every test here."""

# The longest bytes that a case may be named after. Longer ones are files, and some libraries write the time
# of day into a file: workers that collect a second apart would disagree on what the tests are called.
NAMED_WHOLE = 48


def pytest_make_parametrize_id(val: object) -> str | None:
    if isinstance(val, bytes) and len(val) > NAMED_WHOLE:
        return f"{len(val)}_bytes"
    return None
