"""One send as a merchant makes it, over HTTP or in a batch, and what it was answered."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from api_adapter.cancellation import heed_cancellation
from api_adapter.intake import Intake
from api_adapter.stack.exchanges import exchange
from worker.contract.codes import ResultStatus
from worker.contract.messages import Lane


@dataclass(frozen=True, slots=True)
class Reply:
    """What a send was answered."""

    status: str
    code: str
    message_id: str | None

    @property
    def is_unknown(self) -> bool:
        """Whether nobody can say if the send was taken: it is to be repeated (R52)."""
        return self.status == ResultStatus.U


NO_REPLY = Reply(ResultStatus.U, "NO_REPLY", None)


def headers(client_id: str) -> Mapping[str, str]:
    """Return the headers of a caller."""
    return {"client-id": client_id, "content-type": "application/json"}


async def post(client: Client, url: str, client_id: str, body: bytes) -> Reply:
    """Send over HTTP, once; `url` is that of the send."""
    with suppress(PyreqwestError, orjson.JSONDecodeError, KeyError):
        _, content = await exchange(client.post(url).headers(headers(client_id)).body_bytes(body))
        answer: dict[str, Any] = orjson.loads(content)
        result = answer["result"]
        return Reply(result["resultStatus"], result["resultCode"], answer.get("messageId"))
    return NO_REPLY


async def take(intake: Intake, client_id: str, bodies: Sequence[bytes]) -> list[Reply]:
    """Send in a batch, once; return one reply for each, in order."""
    results = await intake.take(headers(client_id), list(bodies), Lane.BULK)
    heed_cancellation()
    return [Reply(one.result.status, one.result.code, one.message_id) for one in results]
