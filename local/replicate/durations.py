"""The two headers that carry a duration: `Cancel-After` and `Prefer: wait`."""

import re

from local.replicate.problems import invalid_request

MIN_CANCEL_AFTER_S = 5
LONGEST_WAIT_S = 60

_CANCEL_AFTER = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_PREFER_WAIT = re.compile(r"wait(?:=([1-9]\d?))?")


def parse_cancel_after(header: str | None) -> int | None:
    """Seconds from `30s`, `5m`, `1h30m45s` or a bare number of seconds, at least 5.

    Raises a 422 problem for anything else.
    """
    if header is None:
        return None
    match = _CANCEL_AFTER.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        raise invalid_request(f"Cancel-After is not a duration: {header[:40]!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total_s = hours * 3600 + minutes * 60 + seconds
    if total_s < MIN_CANCEL_AFTER_S:
        raise invalid_request(f"Cancel-After must be at least {MIN_CANCEL_AFTER_S} seconds")
    return total_s


def parse_wait(header: str | None) -> int | None:
    """Seconds to hold the request; None without the preference, or with one that is unknown (RFC 7240)."""
    match = _PREFER_WAIT.fullmatch((header or "").strip())
    if match is None:
        return None
    # The documented pattern lets 61 to 99 through although 60 is the limit.
    return min(int(match.group(1) or LONGEST_WAIT_S), LONGEST_WAIT_S)
