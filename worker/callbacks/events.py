"""What a merchant is told: the body of a callback and its signed headers, by Standard Webhooks 1.0. Pure.

Never a user's texts, a token or what a gateway wrote: what happened, as codes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook

from worker.contract.callbacks import DueCallback
from worker.contract.moments import moment_text
from worker.contract.outcomes import DeliveryOutcome

MESSAGE_FINAL = "message.final"
TEST = "callback.test"


def webhook_id(callback: DueCallback) -> str:
    """Return the webhook-id: the same for each repeat, and another once a message became final anew.

    So it is where a requestId is used again after its message was forgotten (R54): that was taken at another time.
    """
    return f"msg_{callback.key.message_id}_{callback.taken_at:x}_{callback.key.finality}"


def message_final(callback: DueCallback) -> bytes:
    """Return the body that tells of a final message: for each repeat the same bytes."""
    whole = callback.whole
    data = {
        "messageId": callback.key.message_id,
        "appId": callback.key.app_id,
        "requestId": callback.request_id,
        "batchId": callback.batch_id or None,
        "status": whole.status,
        "reason": whole.reason,
        "partial": whole.partial,
        "finality": callback.key.finality,
        "takenAt": callback.taken_at,
        "settledAt": callback.settled_at,
        "channels": [_channel(delivery) for delivery in callback.deliveries],
    }
    return _event(MESSAGE_FINAL, callback.settled_at, data)


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
