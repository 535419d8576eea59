"""What a URL means for a call: where to connect to, and the head of the request. Pure."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from worker.adapters.http_calls.errors import UnfitUrlError

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[a-z0-9._~-]+")
"""A host's name, or an IPv4 address. What else is wrong with it, the look-up says."""
_AMBIGUOUS = re.compile("[ßς\u200c\u200d]")
"""What IDNA 2003 makes another name of than IDNA 2008 (RFC 5892)."""
_KEPT = "/%:@!$&'()*+,;=~-._"
"""Characters of a path that are sent as they are; what is encoded already stays so."""


class Origin(NamedTuple):
    """Where a connection goes to: with the same origin it can be used again."""

    is_tls: bool
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """What is called."""

    origin: Origin
    head: bytes = field(repr=False)
    """All of a request up to the value of Content-Length, its last header. It may hold a password."""


def target_of(url: str) -> Target:
    """Return what a call to a URL needs; raise UnfitUrlError where it is none, or of another scheme."""
    try:
        parts = urlsplit(url)
        origin = _origin(parts)
        return Target(origin, _head(parts, origin))
    except ValueError:  # a UnicodeError, too
        raise UnfitUrlError("not a URL of http or https") from None


def _origin(parts: SplitResult) -> Origin:
    default = _PORTS.get(parts.scheme)
    port = default if parts.port is None else parts.port
    if not default or not port:
        raise ValueError
    return Origin(parts.scheme == "https", _host(parts.hostname or ""), port)


def _host(name: str) -> str:
    if ":" in name:
        address = IPv6Address(name)
        if address.scope_id is not None:
            raise ValueError  # it would mean another network on each machine
        return str(address)
    if _AMBIGUOUS.search(name):
        raise UnfitUrlError("the host's name has to be written in ASCII, as xn--...")
    ascii_name = name if name.isascii() else name.encode("idna").decode()
    if not _NAME.fullmatch(ascii_name):
        raise ValueError
    return ascii_name


def _head(parts: SplitResult, origin: Origin) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port != _PORTS[parts.scheme]:
        host = f"{host}:{origin.port}"
    path = quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        path = f"{path}?{quote(parts.query, safe=_KEPT + '?')}"
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: tidings",
        "Accept: */*",
        "Accept-Encoding: identity",  # without it any coding would be acceptable (RFC 9110, section 12.5.3)
        "Content-Type: application/json; charset=UTF-8",
    ]
    if parts.username is not None:
        lines.append(f"Authorization: Basic {_basic(parts.username, parts.password or '')}")
    lines.append("Content-Length: ")
    return "\r\n".join(lines).encode("ascii")


def _basic(user: str, password: str) -> str:
    return b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
