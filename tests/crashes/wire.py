"""The way from a process to Redis, where each call waits until the test says what becomes of it.

Commands go to a real server, through a client that blocks: so the order of everything is the test's alone. Redis' time
is the test's too: scripts that would ask for it, and TIME itself, get it from here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Any, Protocol, TypeAlias

from redis import Redis as Server
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from typing_extensions import override

from worker.ports import Clock

Command: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]
"""The words of a command, and redis-py's options for reading its answer."""
SCRIPT_WORDS = 3
"""Words of EVALSHA before its keys: itself, the digest and the number of keys."""


class Fate(Enum):
    """What becomes of a call."""

    ANSWERED = auto()
    REPEATED = auto()
    """The answer is lost; the client asks again by itself and is answered."""
    HALF_REPEATED = auto()
    """The connection breaks within a pipeline; the client sends all of it again and is answered."""
    REFUSED = auto()
    """It never arrives, and the process hears so."""
    HALF_DONE = auto()
    """The connection breaks within a pipeline, and the process hears so."""
    UNHEARD = auto()
    """It is executed, but the process hears that Redis did not answer."""


def answered() -> Fate:
    """Return the fate of each call while nothing fails."""
    return Fate.ANSWERED


def adverse(dice: Random) -> Callable[[], Fate]:
    """Return what draws fates: one call in three meets any."""
    return lambda: dice.choice(list(Fate)) if dice.random() < 0.3 else Fate.ANSWERED


class Line(Protocol):
    """Carries commands to Redis."""

    async def carry(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers, errors among them; raises RedisConnectionError."""
        ...


class VirtualTimeServer:
    """A real server that lives in the test's time."""

    def __init__(self, server: Server, clock: Clock) -> None:
        """Keep the blocking client."""
        self._server = server
        self._clock = clock

    async def carry(self, commands: Sequence[Command]) -> list[Any]:
        """Execute at once: the line of whoever only looks."""
        return self.execute(commands)

    def execute(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers, errors among them."""
        pipeline: Any = self._server.pipeline(transaction=False)
        for words, options in commands:
            pipeline.execute_command(*self._timed(words), **options)
        answers = pipeline.execute(raise_on_error=False)
        asked_time = [words == ("TIME",) for words, _ in commands]
        return [self._time() if timed else answer for timed, answer in zip(asked_time, answers, strict=True)]

    def _timed(self, words: tuple[Any, ...]) -> tuple[Any, ...]:
        if words[0] != "EVALSHA":
            return words
        now = SCRIPT_WORDS + words[2]
        if words[now:][:1] != ("",):  # an argument that is '' first is the time, by the scripts' own convention
            return words
        return (*words[:now], self._clock.now(), *words[now + 1 :])

    def _time(self) -> tuple[int, int]:
        seconds, milliseconds = divmod(self._clock.now(), 1000)
        return seconds, milliseconds * 1000


@dataclass(frozen=True, slots=True)
class RedisCall:
    """One round trip under way."""

    commands: Sequence[Command]
    answers: "asyncio.Future[list[Any]]"

    @property
    def runs_scripts(self) -> bool:
        """Whether it changes anything."""
        return any(words[0] == "EVALSHA" for words, _ in self.commands)


Execute: TypeAlias = Callable[[Sequence[Command]], list[Any]]


class Wire:
    """The line of one process. A call of it may die with it, before or after it was executed."""

    def __init__(self, execute: Execute) -> None:
        """Take what executes commands on the server."""
        self._execute = execute
        self.calls: list[RedisCall] = []

    async def carry(self, commands: Sequence[Command]) -> list[Any]:
        """Wait for the test to decide."""
        call = RedisCall(commands, asyncio.get_running_loop().create_future())
        self.calls.append(call)
        return await call.answers

    def outlive(self, index: int, share: float) -> None:
        """Have Redis execute so much of a call, its process being dead by then."""
        commands = self.calls.pop(index).commands
        self._execute(_some(commands, share))

    def decide(self, index: int, fate: Fate) -> None:
        """Let a call meet its fate."""
        call = self.calls.pop(index)
        half = _some(call.commands, 0.5)
        match fate:
            case Fate.ANSWERED:
                _answer(call, self._execute(call.commands))
            case Fate.REPEATED:
                self._execute(call.commands)
                _answer(call, self._execute(call.commands))
            case Fate.HALF_REPEATED:
                self._execute(half)
                _answer(call, self._execute(call.commands))
            case Fate.REFUSED:
                _break_off(call)
            case Fate.HALF_DONE:
                self._execute(half)
                _break_off(call)
            case Fate.UNHEARD:
                self._execute(call.commands)
                _break_off(call)


def _some(commands: Sequence[Command], share: float) -> Sequence[Command]:
    """Return a share of the commands, the same for the same commands in any order."""
    return sorted(commands, key=lambda command: [str(word) for word in command[0]])[: int(len(commands) * share)]


def _answer(call: RedisCall, answers: list[Any]) -> None:
    if not call.answers.done():
        call.answers.set_result(answers)


def _break_off(call: RedisCall) -> None:
    if not call.answers.done():
        call.answers.set_exception(RedisConnectionError("the test cut the connection"))


class WiredRedis(Redis):
    """redis-py's client on a line in place of a socket."""

    def __init__(self, line: Line) -> None:
        """Connect to nothing."""
        super().__init__()
        self._line = line

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        (answer,) = await self._line.carry([(args, options)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    @override
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "WiredPipeline":
        return WiredPipeline(self, self._line, transaction, shard_hint)


class WiredPipeline(Pipeline):
    """redis-py's pipeline on a line in place of a socket."""

    def __init__(self, redis: WiredRedis, line: Line, transaction: bool, shard_hint: str | None) -> None:  # noqa: FBT001 - as redis-py
        """Stage nothing yet."""
        super().__init__(redis.connection_pool, redis.response_callbacks, transaction, shard_hint)
        self._line = line

    @override
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        answers = await self._line.carry(commands)
        for answer in answers:
            if raise_on_error and isinstance(answer, Exception):
                raise answer
        return answers
