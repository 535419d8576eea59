"""Calls the HTTP application as its server would, without a server: every message of a request is in a test's hand."""

import asyncio
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.applications import Starlette

Message = MutableMapping[str, Any]
JSON = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which has to be a JSON object sent as one."""
        assert self.headers["content-type"] == "application/json"
        assert self.headers["content-length"] == str(len(self.body))
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """The result code."""
        found: str = self.json["result"]["resultCode"]
        return found


@dataclass(frozen=True, slots=True)
class Call:
    """One request; its body arrives in parts."""

    path: str
    parts: Sequence[bytes] = (b"",)
    method: str = "POST"
    headers: Sequence[tuple[str, str]] = (JSON, ("Client-Id", "merchant-1"))
    disconnects: bool = False
    """Whether the caller goes away after its last part, with more to come."""
    read: list[int] = field(default_factory=list)
    """Sizes of the parts that the application has read."""

    def scope(self, state: dict[str, Any]) -> Message:
        """Return the connection's scope."""
        path, _, query = self.path.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8080),
            "state": dict(state),
        }

    def messages(self) -> Iterator[Message]:
        """Yield what the server hands on."""
        last = len(self.parts) - 1
        for index, part in enumerate(self.parts):
            self.read.append(len(part))
            yield {"type": "http.request", "body": part, "more_body": index < last or self.disconnects}
        yield {"type": "http.disconnect"}


def exchange(app: Starlette, call: Call) -> Answer:
    """Return the answer to one call."""
    (answer,) = exchange_all(app, [call])
    return answer


def exchange_all(app: Starlette, calls: Iterable[Call]) -> list[Answer]:
    """Return the answers to calls made at once."""

    async def run() -> list[Answer]:
        async with app.router.lifespan_context(app) as state:
            return await asyncio.gather(*(_exchange(app, call, dict(state or {})) for call in calls))

    return asyncio.run(run())


async def _exchange(app: Starlette, call: Call, state: dict[str, Any]) -> Answer:
    messages = call.messages()
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(call.scope(state), receive, send)
    start, *bodies = sent
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in bodies))
