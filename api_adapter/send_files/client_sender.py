"""The way over the API: signed batches, several calls at once."""

import asyncio
from collections.abc import Callable, Sequence

import orjson

from api_adapter.client import Access, AsyncClient, ClientError, Patience, Pause, SendAnswer
from api_adapter.client.operations import parts
from api_adapter.send_files.senders import LineResult, Waiting
from worker.contract.codes import ResultCode, ResultStatus

_CALLS = 4
"""At once: while one is judged by the API, the next is on its way."""


class ClientSender:
    """Implements `Sender`; the client repeats what is unknown."""

    def __init__(self, access: Access, waiting: Waiting, patience: Patience | None = None) -> None:
        """Connects at the first call."""
        self._client = AsyncClient(access, patience, waiting=_told(waiting))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def send(self, bodies: Sequence[bytes], answers: list[LineResult]) -> None:
        """Do as `Sender.send` says; raises ClientError for what concerns whole calls."""
        turns = asyncio.Semaphore(_CALLS)
        place = 0
        try:
            async with asyncio.TaskGroup() as calls:
                for part in parts(bodies):
                    calls.create_task(self._send(turns, part, place, answers))
                    place += len(part)
        except* ClientError as group:
            raise _first(group) from None

    async def _send(
        self, turns: asyncio.Semaphore, part: Sequence[bytes], place: int, answers: list[LineResult]
    ) -> None:
        async with turns:
            async for answer in self._client.send_many(part):
                answers[place] = _line_result(answer)
                place += 1


def _told(waiting: Waiting) -> Callable[[Pause], None]:
    def tell(pause: Pause) -> None:
        waiting(pause.sends, pause.seconds)

    return tell


def _first(group: BaseExceptionGroup[ClientError]) -> ClientError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _line_result(answer: SendAnswer) -> LineResult:
    result = answer.result
    # Nothing is wrong with a send that came too fast (R36): like one without an answer it is sent again later.
    status = ResultStatus.U if result.code == ResultCode.REQUEST_TRAFFIC_EXCEED_LIMIT else result.status
    return LineResult(
        status, result.code, result.message, answer.request_id, answer.message_id, _lint(answer.extend_info)
    )


def _lint(extend_info: str | None) -> tuple[str, ...]:
    try:
        return tuple(map(str, orjson.loads(extend_info)["lint"])) if extend_info else ()
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ()
