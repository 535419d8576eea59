"""How the verbs of `tidings batch` ask about a batch: by the ledger of the settings, or as merchants over the API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, TypeVar

import typer
from pydantic import BaseModel

from api_adapter.cli.api_access import AGAIN, ApiOptions, Key, KeyVersion, ServerKey, ServerKeyVersion, Url
from api_adapter.cli.context import run_front, told
from api_adapter.cli.saying import Command, say_aside
from worker.contract.batch_requests import BatchName
from worker.contract.parsing import parse_fields

if TYPE_CHECKING:
    from api_adapter.cli.batch_directly import Directly
    from api_adapter.client import AsyncBatch

App = Annotated[str, typer.Argument(metavar="APPID", help="The merchant's appId.")]
Name = Annotated[str, typer.Argument(metavar="BATCHID", help="The merchant's own id of the batch.")]
ClientId = Annotated[
    str, typer.Option(help="Who asks over --url, and who sends what is uploaded, as in `tidings send`.")
]

Answer: TypeAlias = dict[str, Any]
"""What the API answers, as JSON."""
Batch: TypeAlias = "AsyncBatch | Directly"
"""What is asked of a batch job."""
Outcome = TypeVar("Outcome")


class Way(NamedTuple):
    """Who asks, and where."""

    options: ApiOptions
    client_id: str

    def ask(self, app_id: str, batch_id: str, use: Callable[[Batch], Awaitable[Outcome]]) -> Outcome:
        """Return what is asked of a batch; raise TidingsError for what is refused, or can't be asked."""
        name = parse_fields(BatchName, {"appId": app_id, "batchId": batch_id})
        if self.options.url is None:
            from api_adapter.cli.batch_directly import Directly  # noqa: PLC0415 - `--help` needs none of it

            return run_front(lambda front: use(Directly(front, name, self.client_id)))
        access = self.options.access(self.client_id)
        from api_adapter.cli.api_calls import api_client  # noqa: PLC0415 - as above

        async def main() -> Outcome:
            async with api_client(access) as client:
                return await use(client.batch(app_id, batch_id))

        return asyncio.run(main())

    def command(self, text: str) -> Command:
        """Return a command that is proposed."""
        return Command(text, "" if self.options.url is None else "(with --url, --client-id and --key as here)")


def _way(
    *,
    client_id: ClientId = "tidings-cli",
    url: Url = None,
    key: Key = None,
    key_version: KeyVersion = 1,
    server_key: ServerKey = None,
    server_key_version: ServerKeyVersion = 1,
) -> Way:
    return Way(ApiOptions(url, key, key_version, server_key, server_key_version), client_id)


@contextmanager
def _how_to_go_on() -> Iterator[None]:
    """Say beside an interrupt what to do after it."""
    try:
        yield
    except KeyboardInterrupt:
        say_aside(f"stopped; to go on {AGAIN}")
        raise


def with_way(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options that say who asks and where, and hand it what they come to as `way`.

    What it raises is told as each command tells it.
    """
    own, shared = signature(verb), signature(_way)

    @wraps(verb)
    def asked(**given: Any) -> None:  # noqa: ANN401 - whatever typer read
        with told(), _how_to_go_on():
            options = {name: given.pop(name) for name in shared.parameters}
            verb(way=_way(**options), **given)

    mine = [parameter for parameter in own.parameters.values() if parameter.name != "way"]
    # Typer reads both.
    asked.__signature__ = own.replace(parameters=[*mine, *shared.parameters.values()])  # type: ignore[attr-defined]
    asked.__annotations__ = {**verb.__annotations__, **_way.__annotations__, "return": None}
    return asked


def as_answered(model: BaseModel) -> Answer:
    """Return an answer with the names that the API has."""
    return model.model_dump(by_alias=True, mode="json")


def counts(answer: Answer) -> str:
    """Return how many rows were accepted, duplicate and rejected."""
    return ", ".join(f"{answer[name]:,} {name}" for name in ("accepted", "duplicate", "rejected"))
