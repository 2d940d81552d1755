"""What holds for every test here."""

# The longest text that a case may be named after. Longer ones are files and tokens, which hold the time of
# day: workers that collect a second apart would disagree on what the tests are called.
NAMED_WHOLE = 96


def pytest_make_parametrize_id(val: object) -> str | None:
    if isinstance(val, bytes | str) and len(val) > NAMED_WHOLE:
        return f"{type(val).__name__}_of_{len(val)}"
    return None
