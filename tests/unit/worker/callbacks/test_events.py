"""The body and the headers of a callback, as a merchant's library reads them."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from worker.callbacks.events import body_of, callback_test, signed_headers, webhook_id
from worker.callbacks.secrets import new_secret
from worker.contract.batch_jobs import JobState
from worker.contract.callbacks import BatchProgress, FinalMessage, OutcomeKey, ProgressKey
from worker.contract.messages import Channel, DeliveryState
from worker.contract.origins import BatchTally
from worker.contract.outcomes import DeliveryOutcome

KEY = OutcomeKey("shop", "4f0c" * 8, 2)
NOW = 1_700_000_000_123


def final(*deliveries: DeliveryOutcome) -> FinalMessage:
    return FinalMessage(KEY, "r1", NOW - 500, NOW + 86_400_000, deliveries)


def delivery(channel: Channel, state: DeliveryState, code: str = "", text: str = "", at: int = NOW) -> DeliveryOutcome:
    return DeliveryOutcome(channel, state, code, text, at)


def test_the_body_says_what_became_of_the_message_and_each_channel() -> None:
    told = final(
        delivery(Channel.PUSH, DeliveryState.S, at=NOW - 7),
        delivery(Channel.INBOX, DeliveryState.F, "USER_OPTED_OUT", "Dear Jane, you paid 12.50"),
    )

    assert orjson.loads(body_of(told)) == {
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
    told = final(
        delivery(Channel.PUSH, DeliveryState.U, "UNANSWERED"),
        DeliveryOutcome(Channel.INBOX, DeliveryState.SKIPPED, "", "", None),
    )

    data = orjson.loads(body_of(told))["data"]

    assert (data["status"], data["reason"]) == ("U", "UNANSWERED")
    assert [channel["status"] for channel in data["channels"]] == ["U", "SKIPPED"]


def test_a_message_of_a_batch_names_it() -> None:
    told = replace(final(delivery(Channel.PUSH, DeliveryState.S)), batch_id="june")

    assert orjson.loads(body_of(told))["data"]["batchId"] == "june"


def test_what_a_gateway_wrote_is_not_told() -> None:
    told = final(delivery(Channel.PUSH, DeliveryState.F, "X", "Dear Jane"))

    assert b"Jane" not in body_of(told)


def test_a_webhook_id_is_of_the_message_and_its_finality_and_has_no_full_stop() -> None:
    told = final(delivery(Channel.PUSH, DeliveryState.S))
    anew, another = replace(told, key=replace(KEY, finality=3)), replace(told, taken_at=NOW)

    assert webhook_id(told) == f"msg_{KEY.message_id}_{NOW - 500:x}_2"
    assert len({webhook_id(told), webhook_id(anew), webhook_id(another)}) == 3
    assert "." not in webhook_id(told)


PROGRESS = BatchProgress(
    ProgressKey("shop", "june.1", 50), NOW, NOW - 9_000, JobState.RUNNING, BatchTally(taken=10, open=4, S=3, F=2, U=1)
)


def test_the_body_says_how_far_a_batch_is() -> None:
    assert orjson.loads(body_of(PROGRESS)) == {
        "type": "batch.progress",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "data": {
            "batchId": "june.1",
            "appId": "shop",
            "percentage": 50,
            "state": "RUNNING",
            "accepted": 10,
            "open": 4,
            "S": 3,
            "U": 1,
            "F": 2,
            "forgotten": 0,
            "createdAt": NOW - 9_000,
            "passedAt": NOW,
        },
    }


def test_a_webhook_id_of_progress_is_of_the_batch_and_its_percentage_and_has_no_full_stop() -> None:
    again = replace(PROGRESS, at=NOW + 1, state=JobState.PAUSED)
    keys = (ProgressKey("shop", "june.1", 75), ProgressKey("shop", "july", 50), ProgressKey("cafe", "june.1", 50))
    others = [replace(PROGRESS, key=key) for key in keys]

    assert webhook_id(again) == webhook_id(PROGRESS)
    assert webhook_id(PROGRESS).endswith(f"_{NOW - 9_000:x}_50")
    assert len({webhook_id(one) for one in (PROGRESS, *others, replace(PROGRESS, created_at=NOW))}) == 5
    assert "." not in webhook_id(PROGRESS)


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
