"""A breaker for each gateway: closed, open, half-open with single probes; shared by all workers (CONTRACT R69).

A process opens a breaker at once and by itself, tells the store, and learns from it what the others found.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from math import ceil

import structlog

from worker.contract.answers import Answer, AnswerKind
from worker.contract.errors import LedgerUnavailableError
from worker.contract.gateways import BreakerState, OpenedBreaker
from worker.ports import BreakerStore, Clock

_A_WHILE = 1_000
"""Milliseconds to wait where somebody else probes, or the store is away: the next refresh may say more."""
LOOKS_A_SECOND = 500
"""Deliveries that come back to one process for a gateway that fails: each is claimed and settled in vain."""
LONGEST_LOOK_AWAY = 60_000
"""Milliseconds after which a delivery comes back at the latest, however many wait."""
_FAILURES = frozenset({AnswerKind.UNANSWERED, AnswerKind.UNREACHABLE})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When a process opens a breaker, and for how long until the store has said it."""

    failures: int = 5
    """Calls in a row that failed as a whole."""
    first: int = 1_000
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a call says that its gateway should be left alone."""

    reason: str
    asked: int | None = None
    """Milliseconds that the gateway asked to wait."""


def trouble_of(answers: Sequence[Answer | None]) -> Trouble | None:
    """Return what the answers of one call say against its gateway, None if it works."""
    asking = _asking_longest(answers)
    if asking is not None:
        return Trouble(asking.code, asking.retry_after)
    first = answers[0]
    return Trouble(first.code or first.kind.name) if first is not None and _all_failed(answers) else None


def _asking_longest(answers: Sequence[Answer | None]) -> Answer | None:
    asking, longest = None, 0
    for answer in answers:
        if answer is not None and answer.retry_after is not None and answer.retry_after > longest:
            asking, longest = answer, answer.retry_after
    return asking


def _all_failed(answers: Sequence[Answer | None]) -> bool:
    for answer in answers:  # noqa: SIM110 - asked of each call; a generator costs thrice as much
        if answer is None or answer.kind not in _FAILURES:
            return False
    return True


class Breaker:
    """One gateway's breaker, as this process knows it."""

    def __init__(self, clock: Clock, limits: BreakerLimits) -> None:
        """Begin closed."""
        self._clock = clock
        self._limits = limits
        self._failures = 0
        self._open_until: float | None = None
        self._probing_until = 0.0
        self._moved_at = float("-inf")
        self._next_look = 0.0
        self.unshared = 0
        """Changes that the store was not told yet; until then this process knows better than the store."""

    @property
    def is_closed(self) -> bool:
        """Whether calls go out. Asked of each call, so without the enumeration: to look its members up takes longer."""
        return self._open_until is None

    @property
    def is_open(self) -> bool:
        """Whether nobody may call the gateway."""
        return self._open_until is not None and self._clock.monotonic() < self._open_until

    @property
    def state(self) -> BreakerState:
        """Whether the gateway may be called."""
        if self.is_closed:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.is_open else BreakerState.HALF_OPEN

    @property
    def wait(self) -> int:
        """Milliseconds until it is half-open; 0 where it is not open."""
        return max(0, _milliseconds(self._left))

    @property
    def _left(self) -> float:
        return (self._open_until or 0.0) - self._clock.monotonic()

    def wait_of_one_more(self) -> int:
        """Return the milliseconds until one more delivery should come back: not before the breaker is half-open.

        They come one after the other. If all came back at once, a dead gateway with many messages would keep workers
        busy with nothing else.
        """
        now = self._clock.monotonic()
        look = max(now + self._left, self._next_look)
        self._next_look = look + 1 / LOOKS_A_SECOND
        return min(_milliseconds(look - now), max(LONGEST_LOOK_AWAY, _milliseconds(self._left)))

    @property
    def probing(self) -> bool:
        """Whether this process asks the gateway if it is back, and nobody else may."""
        return self._clock.monotonic() < self._probing_until

    def must_open(self, begun: float, trouble: Trouble) -> bool:
        """Count a failed call, and say whether it opens the breaker; `begun` is its start by the monotonic clock.

        What began before the breaker last opened or closed says nothing of now, unless the gateway asks to wait.
        """
        if trouble.asked is not None:
            return True
        if begun < self._moved_at or self.is_open:
            return False
        self._failures += 1
        return not self.is_closed or self._failures >= self._limits.failures

    def must_close(self, begun: float) -> bool:
        """Count a call that went well, and say whether it closes the breaker."""
        self._failures = 0
        return not self.is_closed and begun >= self._moved_at

    def open(self, milliseconds: int) -> None:
        """Stay open for so long from now."""
        if self._open_until is None:
            self._moved_at = self._clock.monotonic()
        self._failures, self._probing_until = 0, 0.0
        self._open_until = self._clock.monotonic() + milliseconds / 1000

    def probe(self, milliseconds: int) -> None:
        """Probe for so long, unless an answer comes before."""
        self._probing_until = self._clock.monotonic() + milliseconds / 1000

    def close(self) -> None:
        """Let calls go out."""
        if self._open_until is not None:
            self._moved_at = self._clock.monotonic()
        self._failures, self._probing_until, self._open_until = 0, 0.0, None
        self._next_look = 0.0


class Breakers:
    """Every gateway's breaker, by the gateway's name."""

    def __init__(self, store: BreakerStore, clock: Clock, limits: BreakerLimits) -> None:
        """Begin with all of them closed; `refresh` says what others found."""
        self._store = store
        self._clock = clock
        self._limits = limits
        self._known: dict[str, Breaker] = {}
        self._sharing: set[asyncio.Task[None]] = set()

    def of(self, gateway: str) -> Breaker:
        """Return the breaker of a gateway."""
        known = self._known.get(gateway)
        if known is None:
            known = self._known[gateway] = Breaker(self._clock, self._limits)
        return known

    def call_ended(self, gateway: str, begun: float, answers: Sequence[Answer | None]) -> Trouble | None:
        """Learn from one call, begun at a time of the monotonic clock; open or close the breaker if that is due.

        Returns what the call says against its gateway.
        """
        breaker, trouble = self.of(gateway), trouble_of(answers)
        if trouble is None:
            if breaker.must_close(begun):
                log.info("breaker_closed", gateway=gateway)
                breaker.close()
                self._share(gateway, self._store.close(gateway))
        elif breaker.must_open(begun, trouble):
            log.warning("breaker_opened", gateway=gateway, reason=trouble.reason, asked_ms=trouble.asked)
            # Until the store says for how long; a longer opening in force stays.
            breaker.open(max(self._limits.first if trouble.asked is None else trouble.asked, breaker.wait))
            self._share(gateway, self._open(gateway, trouble))
        return trouble

    async def may_probe(self, gateway: str) -> bool:
        """Say whether this process may make one call to a gateway whose breaker is half-open; else it is open again."""
        breaker = self.of(gateway)
        try:
            wait = await self._store.probe(gateway)
        except LedgerUnavailableError as error:
            log.warning("breaker_not_asked", gateway=gateway, reason=str(error))
            wait = _A_WHILE
        if wait:
            breaker.open(min(wait, _A_WHILE))
            return False
        breaker.probe(_A_WHILE)
        return True

    async def refresh(self) -> None:
        """Learn what the store knows. Raises LedgerUnavailableError."""
        surely_shared = {name for name, breaker in self._known.items() if not breaker.unshared}
        opened = await self._store.opened()
        for name in {*surely_shared, *(opened.keys() - self._known.keys())}:
            breaker = self.of(name)
            if not breaker.unshared:
                _follow(breaker, opened.get(name))

    async def _open(self, gateway: str, trouble: Trouble) -> None:
        self.of(gateway).open(await self._store.open(gateway, trouble.reason, trouble.asked))

    def _share(self, gateway: str, telling: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._tell(gateway, telling))
        self._sharing.add(task)
        task.add_done_callback(self._sharing.discard)

    async def _tell(self, gateway: str, telling: Awaitable[None]) -> None:
        breaker = self.of(gateway)
        breaker.unshared += 1
        try:
            await telling
        except LedgerUnavailableError as error:
            log.warning("breaker_not_shared", gateway=gateway, reason=str(error))
        finally:
            breaker.unshared -= 1


def _milliseconds(seconds: float) -> int:
    """Return whole milliseconds that are not less; what floating point adds to a whole number counts for nothing."""
    return ceil(round(seconds * 1000, 3))


def _follow(breaker: Breaker, opened: OpenedBreaker | None) -> None:
    if opened is None:
        if breaker.state is not BreakerState.CLOSED:  # one that is goes on counting failures in a row
            breaker.close()
    elif not breaker.probing:
        breaker.open(opened.open_for)
