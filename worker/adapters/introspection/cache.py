"""What the authorization server said last of tokens, for a while. Holds keyed hashes of tokens, never tokens."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from worker.contract.users import TokenGrant
from worker.ports import Clock
from worker.recent import Recent

_LONGEST_DENIAL = 5_000
"""Milliseconds that a token which is not active is not asked about again: it may be issued any moment."""


class Miss(Enum):
    """Not a grant and not a denial."""

    MISS = auto()


MISS = Miss.MISS


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How much is kept, and how long."""

    ttl: int
    """Milliseconds: as long as a token may still be taken after it was revoked."""
    size: int
    """Most grants; and as many denials, which leave the grants alone."""


class _Kept(NamedTuple):
    grant: TokenGrant
    until: float


class GrantCache:
    """Answers of the last moments, by the keyed hash of the token."""

    def __init__(self, clock: Clock, limits: CacheLimits) -> None:
        """Begin empty."""
        self._clock = clock
        self._limits = limits
        self._grants: Recent[bytes, _Kept] = Recent(limits.size)
        self._denied_until: Recent[bytes, float] = Recent(limits.size)

    def get(self, token_id: bytes) -> TokenGrant | Miss | None:
        """Return what is known and still holds; a grant past its time only once the server said so too."""
        now = self._clock.monotonic()
        kept = self._grants.get(token_id)
        if kept is not None and now < kept.until:
            return kept.grant
        if now < (self._denied_until.get(token_id) or 0.0):
            return None if kept is None else kept.grant
        return MISS

    def keep(self, token_id: bytes, grant: TokenGrant) -> None:
        """Keep a grant until it expires, at most for the time to live."""
        lifetime = self._limits.ttl
        if grant.expires_at is not None:
            lifetime = min(lifetime, grant.expires_at - self._clock.now())
        self._denied_until.drop(token_id)
        self._grants.keep(token_id, _Kept(grant, self._clock.monotonic() + lifetime / 1000))

    def deny(self, token_id: bytes) -> TokenGrant | None:
        """Keep for a moment that a token is not active; return the grant that it was until its time was over.

        The server tells nothing of a token that is not active, so this is all that can be known of why it is not.
        """
        kept = self._grants.get(token_id)
        expired = kept is not None and (kept.grant.expires_at or self._clock.now() + 1) <= self._clock.now()
        if not expired:
            self._grants.drop(token_id)
        lifetime = min(self._limits.ttl, _LONGEST_DENIAL)
        self._denied_until.keep(token_id, self._clock.monotonic() + lifetime / 1000)
        return kept.grant if kept is not None and expired else None
