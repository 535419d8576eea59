"""Which addresses a merchant's URL may lead to: none of our own networks (server-side request forgery). Pure.

What is not reachable from anywhere in the Internet is refused, by the IANA registries of special-purpose addresses, and
so is what carries such an IPv4 address inside an IPv6 one.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from worker.contract.clients import Network
from worker.contract.errors import TidingsError

_PORTS = {"https": 443, "http": 80}
_LONGEST_URL, _LONGEST_NAME = 2_048, 253
_NAME = re.compile(r"(?=.*[a-z_-])[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label like this makes URL parsers take the whole name for an IPv4 address, each in its own way."""

_CLOSED_V4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # the metadata of Azure, in a public network
        ),
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
"""Global unicast; everything else is refused, but for what carries an IPv4 address."""
_CLOSED_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_NAT64 = IPv6Network("64:ff9b::/96")


class UnfitUrlError(TidingsError):
    """A URL is none that merchants can be called back at."""


class Target(NamedTuple):
    """Where a URL leads."""

    scheme: str
    host: str
    """A name in lower case, or an address as it is written in full."""
    port: int

    @property
    def address(self) -> str | None:
        """The host, where it is an address; None for a name, which has to be resolved."""
        return self.host if _is_address(self.host) else None


def target_of(url: str) -> Target:
    """Return where a URL leads; raise UnfitUrlError for one that not everybody would understand alike."""
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>`{}|^'):
        raise UnfitUrlError(
            f"must be a plain URL of at most {_LONGEST_URL} ASCII characters, such as https://shop.example"
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise UnfitUrlError("must be a URL that can be read, with a port from 1 to 65535 or none") from None
    if parts.scheme not in _PORTS or "@" in parts.netloc or parts.fragment:
        raise UnfitUrlError("must be https://HOST[:PORT][/PATH][?QUERY], without user and fragment")
    if not _is_address(host) and not _is_name(host):
        raise UnfitUrlError("must name its host by a DNS name, or by an address in its usual spelling")
    if port == 0:
        raise UnfitUrlError("must have a port from 1 to 65535, or none")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme])


def may_be_called(address: str, scheme: str, allowed: Sequence[Network]) -> bool:
    """Return whether a merchant may be called at an address: in public networks by https, in allowed ones anyhow."""
    found = _unwrapped(ip_address(address))
    if any(found in network for network in allowed):
        return True
    return scheme == "https" and _is_public(found)


def _is_address(host: str) -> bool:
    try:
        return str(ip_address(host)) == host and "%" not in host
    except ValueError:
        return False


def _is_name(host: str) -> bool:
    return (
        len(host) <= _LONGEST_NAME
        and _NAME.fullmatch(host) is not None
        and _NUMBER.fullmatch(host.rpartition(".")[2]) is None
    )


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does: packets end there."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)
