"""How the verbs of `tidings batch` ask about a batch."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, TypeAlias, TypeVar

import typer
from pydantic import BaseModel

from api_adapter.batch_jobs import BatchDesk
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Front, run_front
from api_adapter.stack.cancellation import heed_cancellation
from worker.contract.batch_requests import BatchName
from worker.contract.codes import ResultStatus
from worker.contract.requests import ContractViolationError, parse_fields

App = Annotated[str, typer.Argument(metavar="APPID", help="The merchant's appId.")]
Name = Annotated[str, typer.Argument(metavar="BATCHID", help="The merchant's own id of the batch.")]

Answer: TypeAlias = dict[str, Any]
_Request = TypeVar("_Request", bound=BaseModel)


def named(app_id: str, batch_id: str) -> BatchName:
    """Return the name of a batch; raise ArgumentError."""
    return parsed(BatchName, {"appId": app_id, "batchId": batch_id})


def parsed(model: type[_Request], fields: Answer) -> _Request:
    """Return a request; raise ArgumentError for fields that make none."""
    try:
        return parse_fields(model, fields)
    except ContractViolationError as violation:
        raise ArgumentError(str(violation)) from violation


def checked(answer: Answer, where: str = "") -> Answer:
    """Return an answer that is S; raise ArgumentError for any other."""
    result = answer["result"]
    if result["resultStatus"] != ResultStatus.S:
        raise ArgumentError(f"{where}{result['resultCode']}: {result['resultMessage']}")
    return answer


def answer_of(ask: Callable[[BatchDesk], Awaitable[Answer]]) -> Answer:
    """Ask once; raise ArgumentError for what is refused."""

    async def main(front: Front) -> Answer:
        return checked(await ask(front.batches))

    return run_front(main)


async def pages(ask: Callable[[str | None], Awaitable[Answer]]) -> AsyncIterator[list[Answer]]:
    """Yield the items of all pages; `ask` gets where a page begins."""
    after = None
    while True:
        page = checked(await ask(after))
        yield page["items"]
        heed_cancellation()
        after = page["next"]
        if after is None:
            return
