"""Names that mean this machine.

RFC 6761 gives every name under `.localhost` to the loopback interface, and many resolvers do not know.
"""

import ipaddress

import httpx


def is_loopback(host: str) -> bool:
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reachable(url: str) -> tuple[httpx.URL, dict[str, str]]:
    """Where to connect for `url`, and the headers that keep its own host name."""
    asked = httpx.URL(url)
    if asked.host == "localhost" or asked.host.endswith(".localhost"):
        return asked.copy_with(host="127.0.0.1"), {"Host": asked.netloc.decode("ascii")}
    return asked, {}
