"""The record of what the gateway was asked to deliver and what each user got. Pure: it is told the time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from worker.adapters.gateways.simulator.calls import CallMessage
from worker.contract.messages import Channel

KEPT_DELIVERIES = 10_000
"""Deliveries whose content is kept."""


class Idempotency(StrEnum):
    """What happens when a messageId that was delivered is asked for again."""

    HONOURED = "honoured"
    """The user sees it once, as with a real wallet."""
    IGNORED = "ignored"
    """The user sees it again, so that repeated calls show in the counts."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of one messageId. Few different tallies exist, so keys share them: a key costs about 200 bytes."""

    calls: int = 0
    """Valid calls that named it."""
    turns: int = 0
    """How often its script was played."""
    delivered: int = 0
    """How often its user saw it."""


@lru_cache(maxsize=4096)
def _tally(calls: int, turns: int, delivered: int) -> Tally:
    return Tally(calls, turns, delivered)


UNSEEN = _tally(0, 0, 0)
_SHOWN_ONCE = _tally(1, 0, 1)
"""What nearly every messageId comes to."""


def _next(seen: Tally, turns: int, shown: int) -> Tally:
    if seen is UNSEEN and shown and not turns:
        return _SHOWN_ONCE
    return _tally(seen.calls + 1, seen.turns + turns, seen.delivered + shown)


class Delivery(NamedTuple):
    """One time that a user saw a message."""

    number: int
    """1 for the first since the last reset."""
    at: int
    """Milliseconds since 1970."""
    message: CallMessage
    """As it was sent."""


@dataclass(slots=True)
class Counts:
    """Totals since the last reset; only ever raised."""

    calls: int = 0
    """Calls of the send endpoint, rejected ones too."""
    inquiries: int = 0
    """Calls of the inquiry endpoint."""
    rejected_calls: int = 0
    """Calls answered with F PARAM_ILLEGAL: invalid, or holding a `reject` user."""
    messages: int = 0
    """Messages in valid calls, repeated ones too."""
    delivered: int = 0
    """Times that a user saw a message."""
    delivered_keys: int = 0
    """Different messageIds that were delivered."""
    delivered_twice: int = 0
    """Different messageIds that were delivered more than once: 0 unless idempotency is ignored."""
    repeated_calls: int = 0
    """Times that a messageId was asked for after it had been delivered."""
    messages_by_channel: dict[Channel, int] = field(default_factory=dict)
    delivered_by_channel: dict[Channel, int] = field(default_factory=dict)
    messages_by_behaviour: dict[str, int] = field(default_factory=dict)
    """By what the message met, which may be another message's call-wide behaviour."""


class Deliveries:
    """Counts every messageId for ever and keeps the content of the last deliveries."""

    def __init__(self, idempotency: Idempotency = Idempotency.HONOURED, kept: int = KEPT_DELIVERIES) -> None:
        """Start empty."""
        self._idempotency = idempotency
        self._tallies: dict[str, Tally] = {}
        self._kept: deque[tuple[int, CallMessage]] = deque(maxlen=kept)
        self.counts = Counts()

    @property
    def keys(self) -> int:
        """How many different messageIds were seen."""
        return len(self._tallies)

    def tally(self, message_id: str) -> Tally:
        """Return what became of a messageId; all zero for an unknown one."""
        return self._tallies.get(message_id, UNSEEN)

    def is_settled(self, message_id: str) -> bool:
        """Whether a repeated call has nothing left to do: the user has it, and idempotency is honoured."""
        return self._settles(self.tally(message_id))

    def _settles(self, tally: Tally) -> bool:
        return tally.delivered > 0 and self._idempotency is Idempotency.HONOURED

    def count_call(self) -> None:
        """Count one call of the endpoint."""
        self.counts.calls += 1

    def count_inquiry(self) -> None:
        """Count one call of the inquiry endpoint."""
        self.counts.inquiries += 1

    def count_rejected(self) -> None:
        """Count a call as refused as a whole."""
        self.counts.rejected_calls += 1

    def withhold(self, message: CallMessage, behaviour: str, turns: int) -> None:
        """Count a message that its user doesn't get, with the behaviour it met and the turns (0 or 1) it took."""
        self._count(message, behaviour, self.tally(message["messageId"]), turns, 0)

    def deliver(self, message: CallMessage, behaviour: str, turns: int, at: int) -> None:
        """Count a message and show it, unless its user has it already and idempotency is honoured."""
        seen = self.tally(message["messageId"])
        if self._settles(seen):
            self._count(message, behaviour, seen, turns, 0)
        else:
            self._count(message, behaviour, seen, turns, 1)
            self._show(message, seen, at)

    def _count(self, message: CallMessage, behaviour: str, seen: Tally, turns: int, shown: int) -> None:
        counts, channel = self.counts, message["messageChannel"]
        self._tallies[message["messageId"]] = _next(seen, turns, shown)
        counts.messages += 1
        counts.messages_by_channel[channel] = counts.messages_by_channel.get(channel, 0) + 1
        counts.messages_by_behaviour[behaviour] = counts.messages_by_behaviour.get(behaviour, 0) + 1
        if seen.delivered:
            counts.repeated_calls += 1

    def _show(self, message: CallMessage, seen: Tally, at: int) -> None:
        counts, channel = self.counts, message["messageChannel"]
        counts.delivered += 1
        counts.delivered_by_channel[channel] = counts.delivered_by_channel.get(channel, 0) + 1
        if seen.delivered == 0:
            counts.delivered_keys += 1
        elif seen.delivered == 1:
            counts.delivered_twice += 1
        self._kept.append((at, message))

    def of_message(self, message_id: str) -> Iterator[Delivery]:
        """Yield the kept deliveries of a messageId, oldest first."""
        return (delivery for delivery in self._from(0) if delivery.message["messageId"] == message_id)

    def of_customer(self, customer_id: str) -> Iterator[Delivery]:
        """Yield the kept deliveries to a user, oldest first."""
        return (delivery for delivery in self._from(0) if delivery.message["customerId"] == customer_id)

    def page(self, after: int, limit: int) -> list[Delivery]:
        """Return at most `limit` kept deliveries whose number is above `after`, oldest first."""
        return list(islice(self._from(after), limit))

    def _from(self, after: int) -> Iterator[Delivery]:
        gone = self.counts.delivered - len(self._kept)
        start = max(after, gone)
        for number, (at, message) in enumerate(islice(self._kept, start - gone, None), start + 1):
            yield Delivery(number, at, message)

    def reset(self) -> None:
        """Forget everything."""
        self._tallies.clear()
        self._kept.clear()
        self.counts = Counts()
