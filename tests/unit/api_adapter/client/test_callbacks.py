"""Callbacks as a merchant receives them."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from api_adapter.client import AccessError, CallbackVerifier, UntrustedCallbackError
from tests.samples import INBOX, NOON, PUSH
from worker.callbacks.events import body_of, callback_test, webhook_id
from worker.contract.batch_jobs import JobState
from worker.contract.callbacks import BatchProgress, FinalMessage, OutcomeKey, ProgressKey
from worker.contract.messages import DeliveryState
from worker.contract.origins import BatchTally
from worker.contract.outcomes import DeliveryOutcome

OLD, NEW = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
KEY = OutcomeKey("app", "0a" * 16, 2)
DELIVERIES = (
    DeliveryOutcome(PUSH, DeliveryState.S, "", "", NOON + 1_000),
    DeliveryOutcome(INBOX, DeliveryState.F, "USER_NOT_EXIST", "a text", NOON + 2_000),
)
FINAL = FinalMessage(KEY, "order-42", NOON, NOON + 9_000, DELIVERIES)


def final_event() -> bytes:
    return body_of(FINAL)


def signed(body: bytes, *secrets: str, at: datetime | None = None) -> dict[str, str]:
    """Return the headers of a callback, signed as tidings signs it while secrets are rotated."""
    time = at or datetime.now(UTC)
    signatures = (Webhook(secret).sign(webhook_id(FINAL), time, body.decode()) for secret in secrets)
    return {
        "Webhook-Id": webhook_id(FINAL),
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def test_what_tidings_tells_of_a_final_message_is_read() -> None:
    body = final_event()

    callback = CallbackVerifier(NEW).verify(signed(body, NEW), body)

    assert (callback.id, callback.type) == (webhook_id(FINAL), "message.final")
    final = callback.final
    assert final is not None
    assert (final.request_id, final.status, final.partial, final.finality) == ("order-42", "F", True, 2)
    assert [(channel.channel, channel.status, channel.code) for channel in final.channels] == [
        ("PUSH", "S", None),
        ("INBOX", "F", "USER_NOT_EXIST"),
    ]


def test_what_tidings_tells_of_a_batch_is_read() -> None:
    told = BatchProgress(
        ProgressKey("app", "june", 75),
        NOON + 9,
        NOON,
        JobState.PAUSED,
        BatchTally(taken=8, open=2, S=3, F=1, U=1, forgotten=1),
    )
    body = body_of(told)

    callback = CallbackVerifier(NEW).verify(signed(body, NEW), body)

    assert (callback.type, callback.final) == ("batch.progress", None)
    progress = callback.progress
    assert progress is not None
    assert (progress.app_id, progress.batch_id, progress.percentage, progress.state) == ("app", "june", 75, "PAUSED")
    assert (progress.accepted, progress.open, progress.forgotten) == (8, 2, 1)
    assert (progress.S, progress.F, progress.U) == (3, 1, 1)
    assert (progress.created_at, progress.passed_at) == (NOON, NOON + 9)


def test_while_secrets_are_rotated_either_verifies() -> None:
    body = final_event()

    for known in ([OLD], [NEW], [OLD, NEW]):
        assert CallbackVerifier(*known).verify(signed(body, OLD, NEW), body).final is not None
    assert CallbackVerifier(OLD, NEW).verify(signed(body, NEW), body).final is not None


def test_a_type_that_the_client_does_not_know_is_verified_and_has_no_outcome() -> None:
    body = callback_test("app", NOON)

    callback = CallbackVerifier(NEW).verify(signed(body, NEW), body)

    assert (callback.type, callback.final) == ("callback.test", None)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_what_was_signed_long_ago_is_not_believed(minutes: int) -> None:
    body = final_event()
    at = datetime.now(UTC) + timedelta(minutes=minutes)

    with pytest.raises(UntrustedCallbackError, match="was not signed just now"):
        CallbackVerifier(NEW).verify(signed(body, NEW, at=at), body)


def test_nor_is_another_body_or_secret_nor_a_signature_without_parts() -> None:
    body = final_event()
    headers = signed(body, NEW)
    for given_headers, given_body in (
        (headers, body + b" "),
        (signed(body, OLD), body),
        ({**headers, "webhook-signature": "v1"}, body),
        ({**headers, "webhook-signature": "v1,%"}, body),
        ({**headers, "webhook-timestamp": "nan"}, body),
        ({**headers, "webhook-timestamp": "9" * 40}, body),
        ({}, body),
        (headers, b"\xff"),
    ):
        with pytest.raises(UntrustedCallbackError):
            CallbackVerifier(NEW).verify(given_headers, given_body)


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_whatever_strangers_send_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(UntrustedCallbackError):
        CallbackVerifier(NEW).verify(headers, body)


def test_a_signed_body_that_is_no_event_is_refused() -> None:
    for body in (b"hush", b"{}", b"[]"):
        with pytest.raises(UntrustedCallbackError, match="no event of tidings") as refused:
            CallbackVerifier(NEW).verify(signed(body, NEW), body)
        assert "hush" not in str(refused.value)


@pytest.mark.parametrize("secrets", [[], [""], ["hush"], [NEW, "whsec_hush"]])
def test_a_secret_that_can_not_be_used_is_refused_and_not_shown(secrets: list[str]) -> None:
    with pytest.raises(AccessError, match=r"^secrets: ") as refused:
        CallbackVerifier(*secrets)

    assert "hush" not in str(refused.value)
    assert NEW not in repr(CallbackVerifier(NEW)) + repr(CallbackVerifier(NEW).__dict__)
