"""A worker that fails on purpose: `celery -A api_adapter.drill.sabotage worker`.

It is the worker of `celery -A worker`, fitted with parts that kill their process or bend its clock, as the variables
`TIDINGS_SABOTAGE_<NAME>` say (see `Plan`). Like `worker.celery` it reads them when Celery loads it.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from multiprocessing import Value
from random import SystemRandom
from typing import cast

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import override

from api_adapter.drill.moments import Moment
from worker.assembly import Fitting
from worker.celery import app, installation
from worker.contract.answers import Answer, WalletMessage
from worker.contract.messages import Claim, HintKind, Settled, Settlement
from worker.contract.users import GatewayRoute
from worker.ports import Clock, Gateway, Ledger

__all__ = ["Plan", "Saboteur", "app"]

_UNDER_WAY = 0.02
"""Seconds after which a call is surely on its way to the gateway."""


class Plan(BaseSettings):
    """What goes wrong. Each is the variable `TIDINGS_SABOTAGE_<NAME>`; none: nothing."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_SABOTAGE_", frozen=True)

    kill: Moment | None = Field(None, description="When a process is killed with SIGKILL")
    nth: int = Field(1, ge=1, description="At which occurrence of that moment, counted in each process")
    chance: float | None = Field(None, ge=0, le=1, description="In place of NTH: with which probability at each")
    most: int = Field(1, ge=0, description="Most processes of this worker that KILL kills")
    poison: frozenset[str] = Field(frozenset(), description="JSON list of customer ids: sending to one kills, always")
    clock_offset: int = Field(0, description="Milliseconds by which the clock of this worker is wrong")


class Saboteur(Fitting):
    """Fits the parts of a plan. Made before the worker forks, so that all its processes share the number of kills."""

    def __init__(self, plan: Plan) -> None:
        """Kill nobody yet."""
        self._plan = plan
        self._killed = Value("i", 0)
        self._occurrences = 0
        self._dice = SystemRandom()

    @override
    def clock(self, given: Clock) -> Clock:
        return _WrongClock(given, self._plan.clock_offset)

    @override
    def ledger(self, given: Ledger) -> Ledger:
        return cast("Ledger", _DeadlyLedger(given, self))

    @override
    def gateway(self, given: Gateway) -> Gateway:
        return cast("Gateway", _DeadlyGateway(given, self, self._plan.poison))

    def reached(self, moment: Moment) -> None:
        """Kill this process if the plan says so."""
        if moment is self._plan.kill and self._is_the_time() and self._may_kill():
            kill_this_process()

    def _is_the_time(self) -> bool:
        if self._plan.chance is not None:
            return self._dice.random() < self._plan.chance
        self._occurrences += 1
        return self._occurrences == self._plan.nth

    def _may_kill(self) -> bool:
        with self._killed.get_lock():
            if self._killed.value >= self._plan.most:
                return False
            self._killed.value += 1
            return True


def kill_this_process() -> None:
    """End it as the kernel does when memory runs out: no clean-up, no word."""
    os.kill(os.getpid(), signal.SIGKILL)


class _WrongClock:
    def __init__(self, clock: Clock, offset: int) -> None:
        self._clock = clock
        self._offset = offset

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._offset / 1000

    def now(self) -> int:
        return self._clock.now() + self._offset


class _DeadlyLedger:
    """A ledger whose claims and settlements may be the last thing that this process does."""

    def __init__(self, ledger: Ledger, saboteur: Saboteur) -> None:
        self._ledger = ledger
        self._saboteur = saboteur

    def __getattr__(self, name: str) -> object:
        """Leave everything else to the ledger."""
        return getattr(self._ledger, name)

    async def claim(self, shard: int, message_ids: Sequence[str], claim_id: str, kind: HintKind) -> list[Claim]:
        self._saboteur.reached(Moment.BEFORE_CLAIM)
        claims = await self._ledger.claim(shard, message_ids, claim_id, kind)
        if claims:
            self._saboteur.reached(Moment.AFTER_CLAIM)
        return claims

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        self._saboteur.reached(Moment.BEFORE_SETTLE)
        return await self._ledger.settle(settlements)


class _DeadlyGateway:
    """A gateway whose calls may be the last thing that this process does."""

    def __init__(self, gateway: Gateway, saboteur: Saboteur, poison: frozenset[str]) -> None:
        self._gateway = gateway
        self._saboteur = saboteur
        self._poison = poison

    def __getattr__(self, name: str) -> object:
        """Leave everything else to the gateway."""
        return getattr(self._gateway, name)

    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        if not self._poison.isdisjoint(message.customer_id for message in messages):
            kill_this_process()
        call = asyncio.ensure_future(self._gateway.send(route, messages))
        await asyncio.wait([call], timeout=_UNDER_WAY)
        self._saboteur.reached(Moment.MID_SEND)
        return await call


installation.fit(Saboteur(Plan()))
