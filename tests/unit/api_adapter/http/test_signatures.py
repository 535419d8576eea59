"""Signatures as the HTTP application sees them."""

from contextlib import ExitStack
from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from api_adapter.answer_signatures import SignedAnswers
from api_adapter.authentication import SignatureCheck
from api_adapter.places import AT_ONCE
from tests.asgi_calls import JSON, Answer, Call, exchange
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.keys import private_pem, public_pem, signed_headers
from tests.samples import send_body
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.moments import moment_text
from worker.signatures import Signer, is_signed, read_signature, signed_content, signed_digest

SEND = "/v2/miniprogram/message/send"
INQUIRY = "/v2/miniprogram/message/inquiry"
BATCH_INQUIRY = "/v2/miniprogram/message/batchInquiry"
PART = "/v2/miniprogram/message/batches/parts?appId=a&batchId=b&part=1&sha256=0"
TEMPLATE = "/v2/miniprogram/message/template?templateCode=PAYMENT_NOTICE"


def desk_with_signatures() -> FrontDesk:
    desk = FrontDesk()
    desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP}), (ClientKey(1, public_pem("merchant")),))
    desk.require(SignatureCheck(desk.clock, 300_000))
    desk.answer_headers = SignedAnswers(Signer(private_pem("server"), 7), desk.clock)
    return desk


def called(desk: FrontDesk, path: str, body: bytes, *, sent: bytes | None = None, key: str = "merchant") -> Answer:
    signed = signed_headers(path, body, client=CLIENT, time=moment_text(desk.clock.now()), key=key)
    call = Call(path, [body if sent is None else sent], headers=[JSON, *signed.items()])
    return exchange(desk.app("/api/open"), call)


@pytest.mark.parametrize("path", [SEND, "/api/open" + SEND, SEND + "?source=till%201"])
def test_R23_R24_a_signed_send_is_taken_under_whatever_path_it_was_signed(path: str) -> None:
    assert called(desk_with_signatures(), path, send_body()).code == "SUCCESS"


@pytest.mark.parametrize("path", [SEND, INQUIRY, BATCH_INQUIRY])
@pytest.mark.parametrize("sent", [b"", b"{}", b"nonsense", None], ids=["empty", "other", "no JSON", "wrong key"])
def test_R38_before_a_signature_is_right_nothing_is_told_of_the_body(path: str, sent: bytes | None) -> None:
    desk = desk_with_signatures()

    answer = called(desk, path, send_body(), sent=sent, key="merchant" if sent is not None else "stranger")

    assert (answer.status, answer.json["result"]) == (
        200,
        {
            "resultCode": "INVALID_SIGNATURE",
            "resultStatus": "F",
            "resultMessage": "header Signature: is not valid",
        },
    )
    assert desk.taken() == []


def test_R20_a_signed_client_may_send_for_its_apps_alone() -> None:
    assert called(desk_with_signatures(), SEND, send_body(appId="other")).code == "ACCESS_DENIED"


@pytest.mark.parametrize("path", [SEND, "/api/open" + INQUIRY, BATCH_INQUIRY + "?a=b"])
@pytest.mark.parametrize("key", ["merchant", "stranger"])
def test_R26_every_answer_is_signed_over_path_client_time_and_body(path: str, key: str) -> None:
    answer = called(desk_with_signatures(), path, send_body(), key=key)

    claimed = read_signature(answer.headers["signature"])
    time = answer.headers["response-time"]
    assert claimed is not None
    assert (claimed.key_version, answer.headers["client-id"]) == (7, CLIENT)
    assert is_signed(public_pem("server"), claimed.signature, signed_digest(path, CLIENT, time, answer.body))


@pytest.mark.parametrize("path", [TEMPLATE, "/api/open" + TEMPLATE])
@pytest.mark.parametrize(
    ("signed", "body", "code"),
    [("GET", b"", "SUCCESS"), ("POST", b"", "INVALID_SIGNATURE"), ("GET", b"{}", "INVALID_SIGNATURE")],
    ids=["right", "another method", "another body"],
)
def test_R23_a_get_is_signed_with_its_method_its_query_and_no_body(
    path: str, signed: str, body: bytes, code: str
) -> None:
    desk = desk_with_signatures()
    now = moment_text(desk.clock.now())
    signature = Signer(private_pem("merchant"), 1).header(signed_content(path, CLIENT, now, body, signed))
    headers = [("Client-Id", CLIENT), ("Request-Time", now), ("Signature", signature)]

    answer = exchange(desk.app("/api/open"), Call(path, method="GET", headers=headers))

    assert answer.code == code
    claimed = read_signature(answer.headers["signature"])
    assert claimed is not None
    digest = signed_digest(path, CLIENT, answer.headers["response-time"], answer.body, "GET")
    assert is_signed(public_pem("server"), claimed.signature, digest)


def test_R23_a_signature_of_another_query_is_refused() -> None:
    desk = desk_with_signatures()
    now = moment_text(desk.clock.now())
    signature = Signer(private_pem("merchant"), 1).header(signed_content(TEMPLATE, CLIENT, now, b"", "GET"))
    headers = [("Client-Id", CLIENT), ("Request-Time", now), ("Signature", signature)]

    answer = exchange(desk.app(), Call(TEMPLATE + "&version=1", method="GET", headers=headers))

    assert answer.code == "INVALID_SIGNATURE"


def test_R26_what_names_no_client_is_not_signed() -> None:
    answer = exchange(desk_with_signatures().app(), Call(SEND, [b"{}"], headers=[JSON]))

    assert answer.code == "INVALID_CLIENT"
    assert "signature" not in answer.headers


def test_R26_without_a_key_answers_carry_no_signature() -> None:
    answer = exchange(FrontDesk().app(), Call(SEND, [send_body()]))

    assert answer.code == "SUCCESS"
    assert not {"signature", "response-time", "client-id"} & answer.headers.keys()


def test_R31_while_the_registry_is_away_the_answer_is_unknown() -> None:
    desk = desk_with_signatures()
    desk.registry.away = True

    assert called(desk, SEND, send_body()).code == "UNKNOWN_EXCEPTION"
    assert desk.send().result.code == "UNKNOWN_EXCEPTION"
    assert desk.inquire(messageId="x")["result"]["resultCode"] == "UNKNOWN_EXCEPTION"
    assert desk.inquire_many(appId=APP, requestIds=["x"])["result"]["resultCode"] == "UNKNOWN_EXCEPTION"


def test_no_signature_and_no_key_is_in_a_log_line() -> None:
    desk = desk_with_signatures()
    with capture_logs() as logs:
        answers = [called(desk, SEND, send_body(), key=key) for key in ("merchant", "stranger")]
        desk.registry.away = True
        answers.append(called(desk, SEND, send_body()))

    assert [answer.code for answer in answers] == ["SUCCESS", "INVALID_SIGNATURE", "UNKNOWN_EXCEPTION"]
    assert "signature" not in str(logs).lower()
    assert "KEY" not in str(logs)


@pytest.mark.parametrize(("network", "code"), [("127.0.0.0/8", "SUCCESS"), ("203.0.113.0/24", "ACCESS_DENIED")])
def test_R20_the_address_is_that_of_whoever_connects_whatever_headers_say(network: str, code: str) -> None:
    desk = FrontDesk()
    keys, networks = (ClientKey(1, public_pem("merchant")),), (ip_network(network),)
    desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP}), keys, networks=networks)
    headers = [JSON, ("Client-Id", CLIENT), ("X-Forwarded-For", "203.0.113.1"), ("Forwarded", "for=203.0.113.1")]

    assert exchange(desk.app(), Call(SEND, [send_body()], headers=headers)).code == code


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({}, "INVALID_SIGNATURE"),
        ({"client-id": "stranger"}, "INVALID_CLIENT"),
        ({"request-time": "2001-01-01T00:00:00Z", "signature": "algorithm=RSA256,signature=AA=="}, "INVALID_SIGNATURE"),
    ],
    ids=["unsigned", "a stranger", "out of time"],
)
def test_who_can_not_be_let_in_takes_no_place_for_a_part_and_sends_no_byte(wrong: dict[str, str], code: str) -> None:
    desk = desk_with_signatures()
    headers = [("Content-Type", "application/x-ndjson"), *({"client-id": CLIENT} | wrong).items()]
    call = Call(PART, [b"x" * 100] * 3, headers=headers)

    with ExitStack() as stack:
        for number in range(AT_ONCE):
            stack.enter_context(desk.uploads.places.take(f"client-{number}"))
        answer = exchange(desk.app(), call)

    assert (answer.status, answer.code) == (200, code)
    assert call.read == []


def test_while_the_store_is_away_a_part_is_unknown_and_takes_no_place() -> None:
    desk = desk_with_signatures()
    desk.registry.away = True
    call = Call(PART, [b"x"], headers=[("Content-Type", "application/x-ndjson"), ("Client-Id", CLIENT)])

    answer = exchange(desk.app(), call)

    assert (answer.status, answer.code) == (200, "UNKNOWN_EXCEPTION")
    assert call.read == []
