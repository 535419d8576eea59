"""Scripts that are asked for at the same moment share a round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from worker.adapters.redis.scripts import Call, run
from worker.contract.errors import LedgerFaultError


class _Asked(NamedTuple):
    calls: Sequence[Call]
    answer: "asyncio.Future[list[Any]]"


class Together:
    """Gathers what the coroutines of one asyncio loop ask for before it comes round again.

    A task that names one message in each of eight shards would cost eight round trips, on eight connections.
    """

    def __init__(self, redis: Redis) -> None:
        """Keep the connection pool."""
        self._redis = redis
        self._asked: list[_Asked] = []
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts and return their results in order; raises as `scripts.run` does."""
        loop = asyncio.get_running_loop()
        asked = _Asked(calls, loop.create_future())
        self._asked.append(asked)
        if len(self._asked) == 1:
            loop.call_soon(self._start)
        return await asked.answer

    def _start(self) -> None:
        together, self._asked = self._asked, []
        task = asyncio.create_task(self._answer(together))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, together: Sequence[_Asked]) -> None:
        try:
            results = await run(self._redis, [call for asked in together for call in asked.calls])
        except LedgerFaultError as error:
            # One of them met what it can't read. The others must not suffer: asked again, they say the same.
            if len(together) == 1:
                _tell(together[0], error)
                return
            for asked in together:
                await self._answer([asked])
        except Exception as error:  # noqa: BLE001 - it is for those who asked
            for asked in together:
                _tell(asked, error)
        else:
            place = 0
            for asked in together:
                _tell(asked, results[place : place + len(asked.calls)])
                place += len(asked.calls)


def _tell(asked: _Asked, outcome: "list[Any] | Exception") -> None:
    if asked.answer.done():  # nobody waits for it any more
        return
    if isinstance(outcome, Exception):
        asked.answer.set_exception(outcome)
    else:
        asked.answer.set_result(outcome)
