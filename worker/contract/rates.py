"""Limits on the sends of a merchant (CONTRACT R36), and the turns of a gateway's send rate (R69), both by GCRA."""

from enum import StrEnum
from math import ceil
from typing import NamedTuple


class LimitedBy(StrEnum):
    """Whose sends a limit counts; the texts are names in keys, metrics and headers."""

    CLIENT = "client"
    """All sends of a Client-Id."""
    APP = "app"
    """All sends for an appId, whoever sends them."""


class RateLimit(NamedTuple):
    """At most `rate` sends a second on average; so many may come at once after a second without any."""

    by: LimitedBy
    name: str
    """A Client-Id or an appId."""
    rate: int
    """Sends a second, from 1."""

    def wait(self, grant: "Grant", before: int = 0) -> int:
        """Return the milliseconds until a refused send may come again, if `before` other refused ones come first."""
        return grant.wait + ceil(before * 1000 / self.rate)


class Grant(NamedTuple):
    """What a limit let through of the sends that asked together: the first of them."""

    taken: int
    left: int
    """How many more would be let through now."""
    wait: int
    """Milliseconds until one more is; 0 where some are left."""


class RateUse(NamedTuple):
    """How much of a limit is used."""

    left: int
    """How many sends would be let through now."""
    refused: int
    """How many sends it refused so far."""


class Turn(NamedTuple):
    """When a process may send how many messages to a gateway."""

    messages: int
    """0: no turn begins as soon as was asked for."""
    wait: int
    """Milliseconds until it begins; of none, until one would."""
