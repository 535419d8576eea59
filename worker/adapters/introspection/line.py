"""The line before the authorization server: so many calls at once, and none while it is down.

The breaker is this process' own. It is told to nobody: an API process finds out within a few calls.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from worker.adapters.introspection.errors import NotIntrospectedError, ServerTroubleError
from worker.breaking import Breaker, BreakerLimits, Trouble
from worker.contract.gateways import BreakerState
from worker.ports import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How the server is called."""

    calls: int
    """Most at once."""
    timeout: int
    """Milliseconds of a call in all."""
    breaker: BreakerLimits
    breaker_longest: int
    """Milliseconds that the server is left alone, unless it asked for more."""


class Line:
    """Those who call wait here for their turn; see `worker.breaking` for what a breaker is."""

    def __init__(self, clock: Clock, limits: LineLimits) -> None:
        """Begin with a server that works."""
        self._clock = clock
        self._limits = limits
        self._places = asyncio.Semaphore(limits.calls)
        self._breaker = Breaker(clock, limits.breaker)
        self._pause = limits.breaker.first

    async def call(self, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the server's answer; raise NotIntrospectedError where there is none, at once while it is down."""
        async with self._places:
            self._let_through()
            begun = self._clock.monotonic()
            try:
                answer = await ask()
            except ServerTroubleError as trouble:
                self._failed(begun, trouble)
                raise
            except NotIntrospectedError:
                self._worked(begun)
                raise
            self._worked(begun)
            return answer

    def _let_through(self) -> None:
        state = self._breaker.state
        if state is BreakerState.HALF_OPEN and not self._breaker.probing:
            self._breaker.probe(self._limits.timeout)
        elif state is not BreakerState.CLOSED:
            raise NotIntrospectedError("the authorization server failed before and is left alone for a moment")

    def _failed(self, begun: float, trouble: ServerTroubleError) -> None:
        reason = str(trouble)
        if self._breaker.must_open(begun, Trouble(reason, trouble.asked)):
            pause = trouble.asked or self._pause
            log.warning("introspection_breaker_opened", reason=reason, for_ms=pause)
            self._breaker.open(max(pause, self._breaker.wait))
            self._pause = min(2 * self._pause, self._limits.breaker_longest)

    def _worked(self, begun: float) -> None:
        if self._breaker.must_close(begun):
            log.info("introspection_breaker_closed")
            self._breaker.close()
            self._pause = self._limits.breaker.first
