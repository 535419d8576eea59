"""The processes of a drill by name: started, killed on purpose, started again, and watched for other ends."""

import asyncio
import signal
from collections.abc import Callable
from typing import NoReturn

from api_adapter.cancellation import heed_cancellation
from api_adapter.stack.claim import Claim
from api_adapter.stack.processes import IsReady, Part, Program
from api_adapter.stack.running import START_PATIENCE
from worker.contract.exits import RECYCLED

_GLANCE = 0.1

ReadyWhen = Callable[[Part], IsReady]


class Parts:
    """Every process that a drill started, so that each is ended."""

    def __init__(self, claim: Claim) -> None:
        """Start with none; they hold the claim's lock."""
        self._claim = claim
        self._parts: dict[str, Part] = {}
        self._ready: dict[str, IsReady] = {}
        self._meant: set[str] = set()
        self._errands: set[str] = set()
        self._impatient = asyncio.Event()

    def __getitem__(self, name: str) -> Part:
        """Return the process that has the name now."""
        return self._parts[name]

    def start(self, program: Program, is_ready: ReadyWhen) -> None:
        """Start a program under its name."""
        self._put(program.name, Part(program, self._claim.lock))
        self._ready[program.name] = is_ready(self._parts[program.name])

    def begin(self, program: Program) -> None:
        """Start a program that ends by itself."""
        self._errands.add(program.name)
        self._put(program.name, Part(program, self._claim.lock))

    async def ended(self, name: str) -> int:
        """Return the exit code of a program that ends by itself, once it did."""
        return await asyncio.to_thread(self._parts[name].wait)

    async def until_ready(self, *names: str) -> None:
        """Return once these serve; raise PartError where one does not."""
        for name in names:
            await self._parts[name].until_ready(self._ready[name], START_PATIENCE)

    def kill(self, name: str) -> None:
        """End a process and its group at once, on purpose."""
        self._meant.add(name)
        self._parts[name].kill()

    async def stop(self, name: str) -> None:
        """Ask a process to end, and wait until it did."""
        self._meant.add(name)
        await self._parts[name].stop(self._impatient)

    def again(self, name: str) -> None:
        """Start what was ended once more."""
        self._put(name, self._parts[name].again())
        self._meant.discard(name)

    async def watch(self) -> NoReturn:
        """Raise PartError as soon as a process ends that nobody meant to; a worker that recycles itself may."""
        while True:
            heed_cancellation()
            for name in self._parts.keys() - self._meant - self._errands:
                if self._parts[name].exit_code == RECYCLED:
                    self._parts[name].kill()
                    self.again(name)
                self._parts[name].check()
            await asyncio.sleep(_GLANCE)

    def end(self) -> None:
        """Kill everything, stopped processes too: nobody needs any more what they hold."""
        for part in self._parts.values():
            part.send(signal.SIGKILL)
        for part in self._parts.values():
            part.kill()

    def _put(self, name: str, part: Part) -> None:
        self._parts[name] = part
        self._claim.note({name: part.pid for name, part in self._parts.items()}, {})
