"""Registered callers: their public keys, and what each may do (CONTRACT R20, R22, R27)."""

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, TypeAlias

from worker.contract.rates import LimitedBy, RateLimit

Network: TypeAlias = IPv4Network | IPv6Network

PLAIN_CLIENT_ID = re.compile(r"[!-~]{1,128}")
"""What is fit for a record, a header and a log line."""


class ClientKey(NamedTuple):
    """One version of a client's public key."""

    version: int
    """From 1; the client names it as keyVersion."""
    pem: str
    ends_at: int | None = None
    """Milliseconds since 1970 from which on it is not taken; None: never."""

    def is_valid(self, now: int) -> bool:
        """Return whether what it signed is taken at a time."""
        return self.ends_at is None or now < self.ends_at


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A caller as the platform registered it."""

    client_id: str
    app_ids: frozenset[str]
    """What it may send and look up for."""
    keys: tuple[ClientKey, ...]
    """At least one, by version, the newest last."""
    rate: int | None = None
    """Most sends a second; None: no limit."""
    networks: tuple[Network, ...] = ()
    """Where it may call from; empty: from anywhere."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """The limit of all that it sends by HTTP (R36)."""
        return None if self.rate is None else RateLimit(LimitedBy.CLIENT, self.client_id, self.rate)

    def key(self, version: int | None, now: int) -> ClientKey | None:
        """Return the key of a version, or the newest for None, if it is valid (R22, R27)."""
        named = self.keys[-1:] if version is None else (key for key in self.keys if key.version == version)
        return next((key for key in named if key.is_valid(now)), None)

    def may_call_from(self, address: str) -> bool:
        """Return whether it may call from an IP address; IPv4 inside IPv6 is IPv4."""
        if not self.networks:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)

    def rotated(self, pem: str, now: int, overlap: int, ends_at: int | None) -> "RegisteredClient":
        """Return the client with a newer key.

        Args:
            pem: the new public key.
            now: milliseconds since 1970.
            overlap: milliseconds for which the older keys stay valid; those that end sooner still do.
            ends_at: when the new one ends.

        """
        older = tuple(_ending_by(key, now + overlap) for key in self.keys if key.is_valid(now))
        newest = ClientKey(self.keys[-1].version + 1, pem, ends_at)
        return replace(self, keys=(*older, newest))


def _ending_by(key: ClientKey, latest: int) -> ClientKey:
    return key._replace(ends_at=latest if key.ends_at is None else min(key.ends_at, latest))
