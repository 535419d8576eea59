"""What a merchant is told: the body of a callback and its signed headers, by Standard Webhooks 1.0. Pure.

Never a user's texts, a token or what a gateway wrote: what happened, as codes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, assert_never

import orjson
from standardwebhooks import Webhook

from worker.contract.callbacks import BatchProgress, FinalMessage, Told
from worker.contract.moments import moment_text
from worker.contract.origins import Origin
from worker.contract.outcomes import DeliveryOutcome

MESSAGE_FINAL = "message.final"
BATCH_PROGRESS = "batch.progress"
TEST = "callback.test"


_DIGEST = 16
"""Bytes that stand for the appId and batchId in a webhook-id, which may hold no full stop; they may."""


def webhook_id(told: Told) -> str:
    """Return the webhook-id: the same for each repeat, and another once a message became final anew.

    So it is where a requestId is used again after its message was forgotten (R54), and so with a batchId:
    that was taken at another time.
    """
    match told:
        case FinalMessage():
            return f"msg_{told.key.message_id}_{told.taken_at:x}_{told.key.finality}"
        case BatchProgress():
            origin = Origin(told.key.app_id, told.key.batch_id).text
            digest = blake2b(origin.encode(), digest_size=_DIGEST).hexdigest()
            return f"batch_{digest}_{told.created_at:x}_{told.key.percentage}"
        case _:
            assert_never(told)


def body_of(told: Told) -> bytes:
    """Return the body that tells it: for each repeat the same bytes."""
    match told:
        case FinalMessage():
            return _event(MESSAGE_FINAL, told.at, _final(told))
        case BatchProgress():
            return _event(BATCH_PROGRESS, told.at, _progress(told))
        case _:
            assert_never(told)


def _final(told: FinalMessage) -> Mapping[str, Any]:
    whole = told.whole
    return {
        "messageId": told.key.message_id,
        "appId": told.key.app_id,
        "requestId": told.request_id,
        "batchId": told.batch_id or None,
        "status": whole.status,
        "reason": whole.reason,
        "partial": whole.partial,
        "finality": told.key.finality,
        "takenAt": told.taken_at,
        "settledAt": told.at,
        "channels": [_channel(delivery) for delivery in told.deliveries],
    }


def _progress(told: BatchProgress) -> Mapping[str, Any]:
    tally = told.tally
    return {
        "batchId": told.key.batch_id,
        "appId": told.key.app_id,
        "percentage": told.key.percentage,
        "state": told.state,
        "accepted": tally.taken,
        "open": tally.open,
        "S": tally.S,
        "U": tally.U,
        "F": tally.F,
        "forgotten": tally.forgotten,
        "createdAt": told.created_at,
        "passedAt": told.at,
    }


def callback_test(app_id: str, now: int) -> bytes:
    """Return the body of a callback that somebody sent by hand."""
    return _event(TEST, now, {"appId": app_id})


def _event(kind: str, at: int, data: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "timestamp": moment_text(at), "data": data})


def _channel(delivery: DeliveryOutcome) -> dict[str, Any]:
    return {
        "channel": delivery.channel,
        "status": delivery.status or "SKIPPED",
        "reason": delivery.reason,
        "code": delivery.code or None,
        "at": delivery.at,
    }


def signed_headers(id_: str, body: bytes, secrets: Sequence[str], now: int) -> dict[str, str]:
    """Return the headers of a call made `now` (ms since 1970), signed with each secret, the newest first."""
    at = datetime.fromtimestamp(now // 1000, UTC)
    signatures = (Webhook(secret).sign(id_, at, body.decode()) for secret in reversed(secrets))
    return {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(now // 1000),
        "webhook-signature": " ".join(signatures),
    }
