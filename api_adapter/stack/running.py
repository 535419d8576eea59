"""The stack itself: starts its parts, watches them, and stops them in the order in which nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from api_adapter.cancellation import heed_cancellation
from api_adapter.stack.claim import Claim, claimed
from api_adapter.stack.environment import environment
from api_adapter.stack.exchanges import http_client
from api_adapter.stack.guarding import Outcome, guarded
from api_adapter.stack.ports import url_of
from api_adapter.stack.processes import IsReady, Part, PartError, Program, tail_of, tidings
from api_adapter.stack.readiness import consumes, listens, serves
from worker.bootstrap import Addresses, stores
from worker.contract.exits import RECYCLED
from worker.settings import Settings

START_PATIENCE = 60.0
API_GRACE = 15.0
GATEWAY_GRACE = 10.0
WORKER_GRACE = 20.0
"""Seconds on top of the drain, after which a child that does not end is killed (5 s); a broker that does not answer is
waited for, too (some 13 s in all)."""
_GLANCE = 0.2
_STORE_MISSES = 5
"""Looks in a row at which nobody listened: then the store is gone, and not just busy."""
_STOP_ORDER = ("api", "worker", "gateway")

Tell = Callable[[str], None]


class Stack:
    """API, worker and gateway simulator as processes, beside the stores that the settings name."""

    def __init__(
        self,
        settings: Settings,
        addresses: Addresses,
        claim: Claim,
        inherited: Mapping[str, str],
        tell: Tell,
    ) -> None:
        """Keep what `running` got and holds."""
        self.settings = settings
        self.addresses = addresses
        self.api_url = url_of(settings.api_host, settings.api_port)
        self.gateway_url = url_of(settings.gateway_host, settings.gateway_port)
        self.logs = logs_of(settings)
        self._claim = claim
        self._tell = tell
        self._environ = environment(settings, inherited)
        self._parts: list[Part] = []

    @property
    def pids(self) -> dict[str, int]:
        """The processes of the parts that were started, by name."""
        return {part.name: part.pid for part in self._parts}

    async def start(self) -> None:
        """Start all parts side by side, and return once each serves; raise PartError where one does not."""
        drain = self.settings.drain_timeout / 1000
        gateway = self._start("gateway", "gateway", GATEWAY_GRACE)
        worker = self._start("worker", "worker", drain + WORKER_GRACE)
        api = self._start("api", "serve", API_GRACE)
        self._claim.note(self.pids, {"api": self.api_url, "gateway": self.gateway_url})
        async with http_client() as client:
            checks: list[tuple[Part, IsReady]] = [
                (gateway, partial(serves, client, f"{self.gateway_url}/healthz")),
                (api, partial(serves, client, f"{self.api_url}/readyz")),
                (worker, partial(consumes, worker.log)),
            ]
            for part, is_ready in checks:
                await part.until_ready(is_ready, START_PATIENCE)

    async def watch(self) -> NoReturn:
        """Raise PartError as soon as a part, or the embedded store, is gone."""
        misses = 0
        while True:
            heed_cancellation()
            self._check()
            if misses >= _STORE_MISSES:
                log = self.settings.data_dir / "valkey" / "valkey.log"
                raise PartError(f"the embedded Valkey is gone{tail_of(log)}")
            misses = 0 if await self._has_store() else misses + 1
            await asyncio.sleep(_GLANCE)

    async def guard(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Return what the work returns, or raise PartError as soon as a part of the stack is gone."""
        return await guarded(work, self.watch())

    async def stop(self, impatient: asyncio.Event) -> None:
        """Stop what takes, then what delivers, then what is delivered to; at once when `impatient` is set."""
        for part in sorted(self._parts, key=lambda part: _STOP_ORDER.index(part.name)):
            if not await part.stop(impatient):
                self._tell(f"The {part.name} was killed; what a worker held comes back when its lease ends.")

    def _check(self) -> None:
        """Raise PartError where a part ended, but for a worker that recycled itself: it is started again."""
        for place, part in enumerate(self._parts):
            if part.exit_code != RECYCLED:
                part.check()
                continue
            self._tell(f"The {part.name} lived and did not work, and ended itself: starting it again ...")
            part.kill()
            self._parts[place] = part.again()
            self._claim.note(self.pids, {"api": self.api_url, "gateway": self.gateway_url})

    async def _has_store(self) -> bool:
        # A server of the user's own may come and go: every part waits for it.
        return bool(self.settings.redis_url) or await listens(self.addresses.redis_url)

    def _start(self, name: str, command: str, grace: float) -> Part:
        program = Program(name, tidings(command), self._environ, self.logs / f"{name}.log", grace)
        part = Part(program, self._claim.lock)
        self._parts.append(part)
        return part


@asynccontextmanager
async def running(
    settings: Settings,
    inherited: Mapping[str, str],
    impatient: asyncio.Event,
    tell: Tell,
) -> AsyncIterator[Stack]:
    """Give a running stack; at the end its parts are stopped, Valkey the last.

    Args:
        settings: its ports are free ones, see `ports.choose_ports`.
        inherited: the environment that parts get beside the settings.
        impatient: set while it stops, it kills what is left instead of waiting for it. Nothing that was taken is lost.
        tell: hears what goes on.

    Raises PartError where a part does not start, StackRunsError where another stack has the data directory.

    """
    tell = partial(_tell_if_anybody_listens, tell)
    with claimed(settings.data_dir) as claim, stores(settings) as addresses:
        stack = Stack(settings, addresses, claim, inherited, tell)
        try:
            await stack.start()
            yield stack
        finally:
            tell("Stopping: API, worker (finishes what it holds), gateway simulator, Valkey ...")
            await stack.stop(impatient)


def _tell_if_anybody_listens(tell: Tell, line: str) -> None:
    """Tell, unless the terminal was closed: what runs has to be stopped all the same."""
    with suppress(OSError):
        tell(line)


def logs_of(settings: Settings) -> Path:
    """Return the directory of the parts' logs."""
    return settings.data_dir / "logs"
