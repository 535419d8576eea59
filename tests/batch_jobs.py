"""Batch jobs over the HTTP application on fakes: what merchants do with them, for a test to tell its story with."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson

from tests.asgi_calls import JSON, Answer, Call, exchange
from tests.front_desk import APP, CLIENT, TOKEN, FrontDesk
from worker.contract.identity import message_id

ROOT = "/v2/miniprogram/message/batches/"
CLIENT_ID = ("Client-Id", CLIENT)
NDJSON = ("Content-Type", "application/x-ndjson")
CSV = ("Content-Type", "text/csv; charset=utf-8")
BATCH = "june"
DEFAULTS: Mapping[str, object] = {
    "templateCode": "PAYMENT_NOTICE",
    "redirectUrl": "/pages/1",
    "templates": [{"language": "en-US", "templateParameters": {"who": "XiaoMing"}}],
}


def asked(desk: FrontDesk, verb: str, /, **fields: object) -> dict[str, Any]:
    """Return the answer to a request about the batch."""
    body = orjson.dumps({"appId": APP, "batchId": BATCH, **fields})
    return exchange(desk.app(), Call(ROOT + verb, [body], headers=(JSON, CLIENT_ID))).json


def created(desk: FrontDesk, **fields: object) -> dict[str, Any]:
    """Create the batch of these tests, whose rows need a token and a requestId alone."""
    return asked(desk, "create", **{**DEFAULTS, **fields})


def part_path(part: object, content: bytes, /, **replaced: object) -> str:
    """Return where a part goes."""
    query = {"appId": APP, "batchId": BATCH, "part": part, "sha256": sha256(content).hexdigest(), **replaced}
    return ROOT + "parts?" + "&".join(f"{name}={value}" for name, value in query.items() if value is not None)


def uploaded(
    desk: FrontDesk, part: object, content: bytes, *headers: tuple[str, str], path: str | None = None
) -> Answer:
    """Return the answer to an upload; `headers` beside Client-Id, JSON lines without them."""
    call = Call(path or part_path(part, content), [content], headers=(CLIENT_ID, *(headers or (NDJSON,))))
    return exchange(desk.app(), call)


def line(request_id: str, **fields: object) -> bytes:
    """Return a row as a line of JSON."""
    return orjson.dumps({"requestId": request_id, "accessToken": TOKEN, **fields}) + b"\n"


def lines(request_ids: Sequence[str]) -> bytes:
    """Return rows as lines of JSON."""
    return b"".join(map(line, request_ids))


def numbers(answer: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return how many rows were accepted, duplicate and rejected."""
    return answer["accepted"], answer["duplicate"], answer["rejected"]


def ids(request_ids: Sequence[str]) -> list[str]:
    """Return the messageIds of rows."""
    return [message_id(APP, request_id) for request_id in request_ids]
