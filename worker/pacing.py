"""The send rate that a wallet sets for a gateway: all workers together keep to it, in small turns (R69).

A turn is a few messages and the time when they may be sent. Whoever sends takes the next free one from the store, so
turns of all processes follow each other evenly; a process that dies with one costs the gateway a tenth of a second.
"""

import asyncio
from collections.abc import Callable
from math import ceil

import structlog

from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Lane
from worker.contract.users import GatewayRoute
from worker.limit_ports import Turns
from worker.ports import Clock

TURNS_A_SECOND = 10
"""So a turn is a tenth of a second's messages, or one."""
_AHEAD = 1.5
"""Seconds' worth of messages that one process keeps ready; a sweep, a second apart, brings the next."""
_PATIENCE = {Lane.SINGLE: 2_000, Lane.BULK: 1_000}
"""Milliseconds that a turn may be ahead. What batches left gives up first, so that interactive sends find theirs."""
_EAGERNESS = 1.25
"""How much more often deliveries look again than the gateway takes: too many cost claims, too few leave it idle."""
_SOONEST = 0.5
LONGEST_LOOK_AWAY = 60.0
"""Seconds after which a delivery comes back at the latest, however many wait."""
_SLOWEST = 32
"""How many processes are thought to share a gateway at most."""

log = structlog.get_logger(__name__)


class Pace:
    """The turns of one gateway, as this process takes them."""

    def __init__(self, gateway: str, rate: int, turns: Turns, clock: Clock, draw: Callable[[], float]) -> None:
        """Keep the store; `rate` is messages a second of all processes, `draw` gives jitter in [0, 1)."""
        self._gateway = gateway
        self._rate = rate
        self._turns = turns
        self._clock = clock
        self._draw = draw
        self.size = max(1, rate // TURNS_A_SECOND)
        """Most messages of a turn."""
        self._spacing = 1 / rate
        self._last_turn: tuple[float, int] | None = None
        self._next_looks: dict[str, float] = {}
        """By appId: until when a merchant's deliveries are spread."""

    @property
    def keeps_ready(self) -> int:
        """How many deliveries may wait here for their turn; PUSH and INBOX of one message at least."""
        return max(2, int(self._rate * _AHEAD))

    async def turn(self, wanted: int, lane: Lane) -> int:
        """Wait for the next turn and return how many messages may be sent in it, now and not later.

        0: there is none soon, as others have taken them all, or the store is away.
        """
        asked = self._clock.monotonic()
        try:
            turn = await self._turns.reserve(self._gateway, self._rate, min(wanted, self.size), _PATIENCE[lane])
        except LedgerUnavailableError as error:
            log.warning("no_turn", gateway=self._gateway, reason=str(error))
            return 0
        if turn.messages:
            self._learn_spacing(asked + turn.wait / 1000, turn.messages)
            await asyncio.sleep(turn.wait / 1000)
        return turn.messages

    def _learn_spacing(self, at: float, messages: int) -> None:
        """Note how far apart this process' messages are: the fewer turns it gets, the less often need it look."""
        if self._last_turn is not None:
            before, number = self._last_turn
            found = min(max((at - before) / number, 1 / self._rate), _SLOWEST / self._rate)
            self._spacing += (found - self._spacing) * 0.25
        self._last_turn = at, messages

    def wait_of_one_more(self, app_id: str) -> int:
        """Return the milliseconds until one more delivery of a merchant, that found no turn, should come back.

        They come one after the other, about as fast as this process may send them; those of a merchant come no later
        because another one has thousands.
        """
        now = self._clock.monotonic()
        if app_id not in self._next_looks:
            self._next_looks = {app: at for app, at in self._next_looks.items() if at > now}
        before = self._next_looks.setdefault(app_id, now)
        look = max(now + _SOONEST, before) + self._spacing * len(self._next_looks) / _EAGERNESS
        if look > now + LONGEST_LOOK_AWAY:
            look = now + LONGEST_LOOK_AWAY * (1 + self._draw()) / 2
        else:
            self._next_looks[app_id] = look
        return ceil((look - now) * 1000)


class Paces:
    """Makes the pace of each gateway that has a send rate."""

    def __init__(self, turns: Turns, clock: Clock, draw: Callable[[], float]) -> None:
        """Keep what a Pace needs."""
        self._turns = turns
        self._clock = clock
        self._draw = draw

    def of(self, route: GatewayRoute) -> Pace | None:
        """Return the pace of a gateway, None where its wallet sets no rate."""
        if route.rate is None:
            return None
        return Pace(route.name, route.rate, self._turns, self._clock, self._draw)
