"""The body and the headers of a callback, as a merchant's library reads them."""

import time
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from worker.callbacks.events import callback_test, message_final, signed_headers, webhook_id
from worker.callbacks.secrets import new_secret
from worker.contract.callbacks import CallbackKey, DueCallback
from worker.contract.messages import Channel, DeliveryState
from worker.contract.outcomes import DeliveryOutcome

KEY = CallbackKey("shop", "4f0c" * 8, 2)
NOW = 1_700_000_000_123


def due(*deliveries: DeliveryOutcome) -> DueCallback:
    return DueCallback(KEY, NOW + 1_000, "r1", NOW - 500, NOW + 86_400_000, deliveries, "", NOW, 0)


def delivery(channel: Channel, state: DeliveryState, code: str = "", text: str = "", at: int = NOW) -> DeliveryOutcome:
    return DeliveryOutcome(channel, state, code, text, at)


def test_the_body_says_what_became_of_the_message_and_each_channel() -> None:
    callback = due(
        delivery(Channel.PUSH, DeliveryState.S, at=NOW - 7),
        delivery(Channel.INBOX, DeliveryState.F, "USER_OPTED_OUT", "Dear Jane, you paid 12.50"),
    )

    assert orjson.loads(message_final(callback)) == {
        "type": "message.final",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "data": {
            "messageId": KEY.message_id,
            "appId": "shop",
            "requestId": "r1",
            "batchId": None,
            "status": "F",
            "reason": None,
            "partial": True,
            "finality": 2,
            "takenAt": NOW - 500,
            "settledAt": NOW,
            "channels": [
                {"channel": "PUSH", "status": "S", "reason": None, "code": None, "at": NOW - 7},
                {"channel": "INBOX", "status": "F", "reason": None, "code": "USER_OPTED_OUT", "at": NOW},
            ],
        },
    }


def test_an_unknown_outcome_says_why_and_a_skipped_channel_that_it_is() -> None:
    callback = due(
        delivery(Channel.PUSH, DeliveryState.U, "UNANSWERED"),
        DeliveryOutcome(Channel.INBOX, DeliveryState.SKIPPED, "", "", None),
    )

    data = orjson.loads(message_final(callback))["data"]

    assert (data["status"], data["reason"]) == ("U", "UNANSWERED")
    assert [channel["status"] for channel in data["channels"]] == ["U", "SKIPPED"]


def test_a_message_of_a_batch_names_it() -> None:
    callback = due(delivery(Channel.PUSH, DeliveryState.S))._replace(batch_id="june")

    assert orjson.loads(message_final(callback))["data"]["batchId"] == "june"


def test_what_a_gateway_wrote_is_not_told() -> None:
    callback = due(delivery(Channel.PUSH, DeliveryState.F, "X", "Dear Jane"))

    assert b"Jane" not in message_final(callback)


def test_a_webhook_id_is_of_the_message_and_its_finality_and_has_no_full_stop() -> None:
    callback = due(delivery(Channel.PUSH, DeliveryState.S))
    anew, another = callback._replace(key=KEY._replace(finality=3)), callback._replace(taken_at=NOW)

    assert webhook_id(callback) == f"msg_{KEY.message_id}_{NOW - 500:x}_2"
    assert len({webhook_id(callback), webhook_id(anew), webhook_id(another)}) == 3
    assert "." not in webhook_id(callback)


@pytest.mark.parametrize("number", [1, 2])
def test_the_library_of_the_standard_verifies_each_signature(number: int) -> None:
    now = time.time_ns() // 1_000_000
    secrets = [new_secret() for _ in range(number)]
    body = callback_test("shop", now)

    headers = signed_headers("msg_1", body, secrets, now)

    for secret in secrets:
        assert Webhook(secret).verify(body, headers)["data"] == {"appId": "shop"}
    assert headers["webhook-signature"].count("v1,") == number
    newest = Webhook(secrets[-1]).sign("msg_1", datetime.fromtimestamp(now // 1000, UTC), body.decode())
    assert headers["webhook-signature"].startswith(newest)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(body + b" ", headers)
