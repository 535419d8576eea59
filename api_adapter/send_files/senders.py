"""Ways to have sends taken: by the intake of this process, or over the API (`client_sender`) (CONTRACT R50, R52)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from api_adapter.clients import CLIENT_ID
from api_adapter.intake import Intake
from api_adapter.taking import SendResult
from worker.contract.codes import UNKNOWN, ResultStatus
from worker.contract.messages import Lane

PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each repeat of what is unknown."""

Waiting: TypeAlias = Callable[[int, float], None]
"""Told how many sends are unknown, and in how many seconds they are repeated."""


class LineResult(NamedTuple):
    """What became of one send."""

    status: ResultStatus
    code: str
    message: str
    request_id: str | None = None
    """As far as the send could be read."""
    message_id: str | None = None
    remarks: tuple[str, ...] = ()
    """The send's lint (R6, R9)."""


UNASKED: Final = LineResult(UNKNOWN.status, UNKNOWN.code, UNKNOWN.message)
"""Of a send that nobody has answered."""


class Sender(Protocol):
    """Has sends taken."""

    async def send(self, bodies: Sequence[bytes], answers: list[LineResult]) -> None:
        """Put the answer to each send into its place, as soon as it is there; repeat what is unknown for a while.

        Also when it is cancelled, `answers` then holds what is known. Raises TidingsError where going on is of no use.
        """
        ...


class IntakeSender:
    """Implements `Sender` without HTTP: whoever runs tidings needs no signature."""

    def __init__(self, intake: Intake, client_id: str, waiting: Waiting, pauses: Sequence[float] = PAUSES) -> None:
        """Take the caller's Client-Id, and who is told of each repeat."""
        self._intake = intake
        self._headers = {CLIENT_ID: client_id}
        self._waiting = waiting
        self._pauses = pauses

    async def send(self, bodies: Sequence[bytes], answers: list[LineResult]) -> None:
        """Do as `Sender.send` says."""
        await self._take(bodies, range(len(bodies)), answers)
        for pause in self._pauses:
            unknown = unanswered(answers)
            if not unknown:
                return
            self._waiting(len(unknown), pause)
            await asyncio.sleep(pause)
            await self._take(bodies, unknown, answers)

    async def _take(self, bodies: Sequence[bytes], indexes: Sequence[int], answers: list[LineResult]) -> None:
        chosen = [bodies[index] for index in indexes]
        taking = asyncio.ensure_future(self._intake.take(self._headers, chosen, Lane.BULK))
        try:
            await asyncio.shield(taking)
        finally:
            # Somebody who interrupts is told what was taken, so what is under way is waited for.
            for index, answer in zip(indexes, await taking, strict=True):
                answers[index] = _line_result(answer)


def unanswered(answers: Sequence[LineResult]) -> list[int]:
    """Return the places of the answers that are U."""
    return [index for index, answer in enumerate(answers) if answer.status is ResultStatus.U]


def _line_result(answer: SendResult) -> LineResult:
    result = answer.result
    return LineResult(result.status, result.code, result.message, answer.request_id, answer.message_id, answer.remarks)
