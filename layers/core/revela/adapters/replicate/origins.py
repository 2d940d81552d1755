"""Where outputs may be fetched from: which URLs, and which addresses behind their names.

The URL of an output comes from outside. Whoever could choose it freely would have us read what only we
can reach: metadata of the cloud, services beside us, files.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx

from revela.domain.errors import OutputUnusable

URL_MAX_CHARS = 2_048

# Scheme, plain host, perhaps a port, then what a path and a query may contain: no user, no bracket, no
# escape before the path, where two parsers may read two different hosts.
_URL = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?([/?][a-z0-9!$%&'()*+,./:;=?@\[\]_~-]*)?", re.IGNORECASE | re.ASCII
)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LOOPBACK_HOST = re.compile(r"localhost|[a-z0-9.-]+\.localhost|127(\.[0-9]{1,3}){3}")
_IPV6_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Resolves (host, port) to IP addresses, as `socket.getaddrinfo` would.
Lookup = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Origin:
    """`port` None: the default one of https, and every host below `host` as well."""

    scheme: str
    host: str
    port: int | None

    @property
    def loopback(self) -> bool:
        return _LOOPBACK_HOST.fullmatch(self.host) is not None

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read `https://host` or `scheme://host:port`. Raises ValueError."""
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            raise ValueError(f"{text} is no origin: {error}") from None
        if (
            not _URL.fullmatch(text)
            or url.query
            or url.path not in ("", "/")
            or not _HOST.fullmatch(_host(url))
        ):
            raise ValueError(f"{text} is no origin: it has a scheme, a host and perhaps a port, no more")
        origin = cls(url.scheme, _host(url), url.port)
        if not origin.loopback and (url.scheme == "http" or _is_ip(origin.host)):
            raise ValueError(f"{text}: outputs come over https, or from this machine")
        return origin

    def has(self, url: httpx.URL) -> bool:
        host = _host(url)
        if url.scheme != self.scheme or url.port != self.port:
            return False
        if self.port is None and not self.loopback and host.endswith(f".{self.host}"):
            return True
        return host == self.host


class AllowedOrigins:
    """Judges URLs, then the addresses their names resolve to at the moment of connecting."""

    def __init__(self, origins: Iterable[str], *, lookup: Lookup | None = None) -> None:
        self._origins = tuple(Origin.parse(text) for text in origins)
        self._lookup = lookup or _getaddrinfo

    def checked(self, text: str) -> httpx.URL:
        """Return the URL to fetch. Raises OutputUnusable for one that must not be."""
        if len(text) > URL_MAX_CHARS or not _URL.fullmatch(text):
            raise OutputUnusable("forbidden_url")
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            raise OutputUnusable("forbidden_url") from None
        if not any(origin.has(url) for origin in self._origins):
            raise OutputUnusable("forbidden_url")
        return url

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses to connect to.

        Raises OutputUnusable when any address is one that an origin of this kind cannot have: an
        attacker's name server mixes a good answer with the one it wants.
        """
        loopback = _LOOPBACK_HOST.fullmatch(host) is not None
        addresses = self._lookup(host, port)
        for address in addresses:
            ip = ipaddress.ip_address(address)
            if not (ip.is_loopback if loopback else _is_public(ip)):
                raise OutputUnusable("forbidden_address")
        return addresses


def _host(url: httpx.URL) -> str:
    # `url.host` would read punycode as the letters it stands for, and raise when it stands for none.
    return url.raw_host.decode("ascii")


def _is_public(ip: Address) -> bool:
    if isinstance(ip, ipaddress.IPv6Address) and (
        ip not in _IPV6_GLOBAL_UNICAST or ip.sixtofour is not None or ip.teredo is not None
    ):
        # Outside, and in these two, are the forms that carry an IPv4 address for a gateway to take out.
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _getaddrinfo(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
