"""Dead letters by the many: what a replay or a discard would do, and doing it at a bounded pace.

Every letter goes through `ports.DeadLetters`, which decides for each one alone and atomically. What is here chooses
the letters, keeps the pace and notes what became of each, so that a run which was interrupted can go on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from worker.batching import chunks
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery, Discarded, Replayed
from worker.contract.messages import DeliveryState
from worker.ports import Clock, DeadLetters

_MOST_AT_ONCE = 1_000
"""Letters between two notes of a run."""
_STEPS_A_SECOND = 4
"""How finely a rate is spread."""


@dataclass(frozen=True, slots=True)
class Matching:
    """All dead letters that a query finds. Name its `died_until`, so that what dies meanwhile is not among them."""

    query: DeadLetterQuery


@dataclass(frozen=True, slots=True)
class Named:
    """Messages by their ids, dead letters or not."""

    message_ids: tuple[str, ...]


Selection: TypeAlias = Matching | Named


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some of what was selected."""

    letters: tuple[DeadLetter, ...]
    absent: tuple[str, ...] = ()
    """messageIds that are no dead letters."""


@dataclass(slots=True)
class Rehearsal:
    """What a replay or discard would find; deliveries are (message, channel)."""

    letters: int = 0
    failed: int = 0
    """Deliveries that are F: a replay sends them."""
    unanswered: int = 0
    """Deliveries that are U: a replay sends them with the same key, as the gateway may have shown them."""
    delivered: int = 0
    """Deliveries that have S: nothing ever sends them again."""
    suppressed: int = 0
    """Letters without F and U: a replay makes them final."""
    absent: list[str] = field(default_factory=list)
    """messageIds that were named and are no dead letters."""

    @property
    def to_send(self) -> int:
        """Deliveries that a replay would send."""
        return self.failed + self.unanswered

    def add(self, chosen: Chosen) -> None:
        """Count some more."""
        self.absent += chosen.absent
        self.letters += len(chosen.letters)
        for letter in chosen.letters:
            states = [channel.state for channel in letter.channels]
            self.failed += states.count(DeliveryState.F)
            self.unanswered += states.count(DeliveryState.U)
            self.delivered += states.count(DeliveryState.S)
            self.suppressed += not letter.given_up


class Receipt(Protocol):
    """Notes what a replay does, so that it can go on where it was interrupted."""

    def knows(self, message_id: str) -> bool:
        """Say whether it is noted already what became of a message."""
        ...

    def trying(self, letters: Sequence[DeadLetter]) -> None:
        """Note letters that may have been replayed, whatever happens next."""
        ...

    def replayed(self, letters: Sequence[DeadLetter], results: Sequence[Replayed]) -> None:
        """Note what became of letters."""
        ...

    def absent(self, message_ids: Sequence[str]) -> None:
        """Note what was named and is no dead letter."""
        ...


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    """How a replay is to be done."""

    run: str
    """Its name: a letter is replayed once under it, however often it is asked."""
    deliver_within: int
    """Milliseconds from the replay after which a message expires again."""
    rate: int | None = None
    """Most messages a second; None: as fast as the ledger takes them."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a rate in messages a second is kept."""

    rate: int | None

    @property
    def at_once(self) -> int:
        """Most messages between two rests."""
        if self.rate is None:
            return _MOST_AT_ONCE
        return min(_MOST_AT_ONCE, max(1, self.rate // _STEPS_A_SECOND))

    def rest(self, done: int, seconds: float) -> float:
        """Return how many seconds to wait when so many messages were done in so many seconds."""
        return 0.0 if self.rate is None else max(0.0, done / self.rate - seconds)


class Interventions:
    """Replays and discards dead letters."""

    def __init__(self, letters: DeadLetters, clock: Clock) -> None:
        """Keep the collaborators."""
        self._letters = letters
        self._clock = clock

    async def rehearse(self, selection: Selection) -> Rehearsal:
        """Count what is selected; changes nothing."""
        rehearsal = Rehearsal()
        async for chosen in self._choose(selection, _MOST_AT_ONCE, _everything):
            rehearsal.add(chosen)
        return rehearsal

    async def replay(self, selection: Selection, order: ReplayOrder, receipt: Receipt) -> None:
        """Open what is selected again, but for what the receipt knows; each step is noted before and after."""
        pace, started, done = Pace(order.rate), self._clock.monotonic(), 0
        async for chosen in self._choose(selection, pace.at_once, lambda one: not receipt.knows(one)):
            receipt.absent(chosen.absent)
            receipt.trying(chosen.letters)
            results = await self._letters.replay(chosen.letters, order.run, order.deliver_within)
            receipt.replayed(chosen.letters, results)
            done += len(chosen.letters)
            await asyncio.sleep(pace.rest(done, self._clock.monotonic() - started))

    async def discard(self, selection: Selection, run: str, reason: str) -> AsyncIterator[Chosen]:
        """Let go what is selected; yield what was discarded, and what is no dead letter, step by step."""
        async for chosen in self._choose(selection, _MOST_AT_ONCE, _everything):
            results = await self._letters.discard(chosen.letters, run, reason)
            pairs = list(zip(chosen.letters, results, strict=True))
            done = tuple(letter for letter, result in pairs if result is Discarded.DONE)
            refused = tuple(letter.message_id for letter, result in pairs if result is Discarded.REFUSED)
            yield Chosen(done, chosen.absent + refused)

    async def _choose(
        self,
        selection: Selection,
        most: int,
        wanted: Callable[[str], bool],
    ) -> AsyncIterator[Chosen]:
        match selection:
            case Named():
                ids = [one for one in dict.fromkeys(selection.message_ids) if wanted(one)]
                for part in chunks(ids, most):
                    found = dict(zip(part, await self._letters.find(part), strict=True))
                    letters = tuple(letter for letter in found.values() if letter is not None)
                    yield Chosen(letters, tuple(one for one, letter in found.items() if letter is None))
            case Matching():
                after, more = None, True
                while more:
                    page = await self._letters.page(selection.query, most, after)
                    yield Chosen(tuple(letter for letter in page.letters if wanted(letter.message_id)))
                    after = page.more_after
                    more = after is not None


def _everything(_message_id: str) -> bool:
    return True
