import asyncio
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from api_adapter.http.app import make_app
from api_adapter.http.endpoint import Api
from api_adapter.http.opening import Opening
from tests.asgi_calls import JSON, Answer, Call, exchange, exchange_all
from tests.front_desk import APP, FrontDesk
from tests.samples import send_body
from worker.contract.codes import ResultCode
from worker.contract.errors import LedgerMismatchError
from worker.contract.findings import Finding, Severity
from worker.contract.identity import message_id

SEND = "/v2/miniprogram/message/send"
INQUIRY = "/v2/miniprogram/message/inquiry"
BATCH_INQUIRY = "/v2/miniprogram/message/batchInquiry"
BATCH_SEND = "/v2/miniprogram/message/batchSend"
LINT = "/v2/miniprogram/message/lint"
PREVIEW = "/v2/miniprogram/message/templatePreview"
TEMPLATE = "/v2/miniprogram/message/template?templateCode=PAYMENT_NOTICE"
TEMPLATES = "/v2/miniprogram/message/templates"
OPERATIONS = [SEND, BATCH_SEND, INQUIRY, BATCH_INQUIRY, LINT, PREVIEW]
CLIENT_ID = ("Client-Id", "merchant-1")
KIB = 1024
LIMITS = [
    (SEND, 64 * KIB),
    (BATCH_SEND, KIB * KIB),
    (INQUIRY, KIB * KIB),
    (BATCH_INQUIRY, KIB * KIB),
    (PREVIEW, 64 * KIB),
]
ID = message_id(APP, "10017019")
BODIES = {
    SEND: send_body(),
    BATCH_SEND: b'{"sends":[%s]}' % send_body(),
    INQUIRY: orjson.dumps({"messageId": ID}),
    BATCH_INQUIRY: orjson.dumps({"appId": APP, "requestIds": ["10017019", "never"]}),
    LINT: send_body(),
    PREVIEW: b'{"templateCode":"PAYMENT_NOTICE","templates":[{"templateParameters":{"who":"X"}}]}',
}


def called(call: Call, prefix: str = "") -> Answer:
    return exchange(FrontDesk().app(prefix), call)


def padded(path: str, size: int) -> bytes:
    """Return a valid body of so many bytes."""
    body = BODIES[path]
    return body[:-1] + b" " * (size - len(body)) + b"}"


def in_parts(body: bytes, size: int = 10_000) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def test_R30_a_send_is_answered_as_the_page_says() -> None:
    answer = called(Call(SEND, [BODIES[SEND]]))

    assert answer.status == 200
    assert answer.json == {
        "result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"},
        "messageId": ID,
    }


def test_R6_R9_lint_is_a_text_of_json_in_extend_info() -> None:
    answer = called(Call(SEND, [send_body(actionUrl="/action")]))

    assert orjson.loads(answer.json["extendInfo"]) == {
        "lint": ["$.actionUrl: is ignored beside redirectUrl; it is no documented field"],
    }


def test_R9_lint_never_outgrows_extend_info() -> None:
    parameters = {"who": "X", **{f"p{number:063}": "X" for number in range(500)}}

    answer = called(Call(SEND, [send_body(templates=[{"templateParameters": parameters}])]))

    assert answer.code == "SUCCESS"
    assert len(answer.json["extendInfo"]) <= 4096


def test_R70_R72_look_ups_are_answered() -> None:
    desk = FrontDesk()
    desk.send()

    one, many = (exchange(desk.app(), Call(path, [BODIES[path]])) for path in (INQUIRY, BATCH_INQUIRY))

    assert (one.status, one.json["requestId"], one.json["status"]) == (200, "10017019", "U")
    assert (many.status, [item["status"] for item in many.json["items"]]) == (200, ["U", "NEVER_SEEN"])


@pytest.mark.parametrize("path", [*OPERATIONS, TEMPLATE, TEMPLATES, "/healthz", "/readyz", "/openapi.json"])
def test_R24_every_path_is_served_under_the_prefix_too(path: str) -> None:
    desk = FrontDesk()
    desk.send()
    method = "POST" if path in OPERATIONS else "GET"
    calls = [Call(root + path, [BODIES.get(path, b"")], method) for root in ("", "/api/open", "/api")]

    plain, prefixed, other = exchange_all(desk.app("/api/open"), calls)

    assert (plain.status, plain.body) == (200, prefixed.body)
    assert prefixed.status == 200
    assert (other.status, other.code) == (404, "INVALID_API")


@pytest.mark.parametrize("root", ["/api/open", "//", "/v2"])
def test_R40_without_a_prefix_there_is_one_root(root: str) -> None:
    assert called(Call(root + SEND, [BODIES[SEND]])).status == 404


@pytest.mark.parametrize(
    "path",
    ["/", "", "/v2", SEND + "/", SEND + "//", SEND.upper(), SEND + "x", "/docs", "/favicon.ico", "/\x00", "/%2e%2e"],
    ids=ascii,
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_R40_an_unknown_path_is_404_with_a_result(path: str, method: str) -> None:
    answer = called(Call(path, [BODIES[SEND]], method))

    assert answer.status == 404
    assert answer.json["result"] == {
        "resultCode": "INVALID_API",
        "resultStatus": "F",
        "resultMessage": "no API has this path; see /openapi.json",
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "post", "SEND"])
@pytest.mark.parametrize("path", OPERATIONS)
def test_R40_an_operation_is_posted(path: str, method: str) -> None:
    answer = called(Call(path, [BODIES[path]], method))

    assert (answer.status, answer.code) == (200, "METHOD_NOT_SUPPORTED")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_R40_a_probe_is_not_posted(path: str) -> None:
    answer = called(Call(path))

    assert (answer.status, answer.code) == (200, "METHOD_NOT_SUPPORTED")


JSON_TYPES = [
    "application/json",
    "application/json;charset=utf-8",
    "application/json; charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/json ; Charset = utf8",
    "Application/JSON;charset=Utf-8;v=1",
    "application/json; v=1",
    "application/json;",
]
OTHER_TYPES = [
    None,
    "",
    "text/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=application/json",
    "application/json-patch",
    "application/jsonp",
    "application/problem+json",
    "application/json, text/plain",
    "application/json; charset=gbk",
    "application/json; charset=utf-16",
    "application/json; charset=iso-8859-1",
    "application/json; charset=utf-8; charset=gbk",
    "charset=utf-8",
    "; charset=utf-8",
    "application/j\xe9son",
]


@pytest.mark.parametrize("content_type", JSON_TYPES)
@pytest.mark.parametrize("path", OPERATIONS)
def test_R25_json_in_utf_8_is_taken_however_it_is_named(path: str, content_type: str) -> None:
    desk = FrontDesk()
    desk.send()

    answer = exchange(desk.app(), Call(path, [BODIES[path]], headers=[("content-type", content_type), CLIENT_ID]))

    assert (answer.status, answer.code) == (200, "SUCCESS")


@pytest.mark.parametrize("content_type", OTHER_TYPES, ids=ascii)
@pytest.mark.parametrize("path", OPERATIONS)
def test_R15_R40_any_other_content_type_is_not_acceptable(path: str, content_type: str | None) -> None:
    headers = [CLIENT_ID] if content_type is None else [("content-type", content_type), CLIENT_ID]
    desk = FrontDesk()

    answer = exchange(desk.app(), Call(path, [BODIES[path]], headers=headers))

    assert (answer.status, answer.code) == (200, "MEDIA_TYPE_NOT_ACCEPTABLE")
    assert desk.taken() == []


LENGTHS: dict[str, list[tuple[str, str]]] = {
    "chunked": [],
    "lying low": [("Content-Length", "1")],
    "nothing": [("Content-Length", "")],
    "no number": [("Content-Length", "many")],
    "negative": [("Content-Length", "-1")],
    "signed": [("Content-Length", "+1")],
    "grouped": [("Content-Length", "1_0")],
    "fraction": [("Content-Length", "1.5")],
    "hexadecimal": [("Content-Length", "0x10")],
    "superscript": [("Content-Length", "\xb2")],
    "endless": [("Content-Length", "9" * 5000)],
    "two": [("Content-Length", "1"), ("Content-Length", "2")],
    "list": [("Content-Length", "1, 2")],
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_R15_the_bytes_are_counted_whatever_the_content_length(
    path: str,
    most: int,
    length: list[tuple[str, str]],
) -> None:
    desk = FrontDesk()
    desk.send()
    headers = [JSON, CLIENT_ID, *length]
    exact = Call(path, in_parts(padded(path, most)), headers=headers)
    over = Call(path, in_parts(padded(path, most + 1)), headers=headers)

    taken, refused = exchange_all(desk.app(), [exact, over])

    assert (taken.status, taken.code) == (200, "SUCCESS")
    assert (refused.status, refused.code) == (413, "PARAM_ILLEGAL")
    assert refused.json["result"]["resultMessage"] == f"the body is larger than {most} bytes"


@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_R15_a_true_content_length_is_taken_at_the_limit(path: str, most: int) -> None:
    desk = FrontDesk()
    desk.send()

    answer = exchange(
        desk.app(),
        Call(path, [padded(path, most)], headers=[JSON, CLIENT_ID, ("Content-Length", str(most))]),
    )

    assert (answer.status, answer.code) == (200, "SUCCESS")


@pytest.mark.parametrize(("path", "most"), LIMITS)
@pytest.mark.parametrize("beyond", [1, 10**9])
def test_R15_a_body_that_is_announced_too_large_is_not_read(path: str, most: int, beyond: int) -> None:
    call = Call(path, [b"{}"], headers=[JSON, CLIENT_ID, ("Content-Length", str(most + beyond))])

    answer = called(call)

    assert (answer.status, answer.code) == (413, "PARAM_ILLEGAL")
    assert call.read == []


@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_R15_a_body_without_end_is_read_no_further_than_its_limit(path: str, most: int) -> None:
    call = Call(path, [b" " * 10_000] * 1000)

    assert called(call).status == 413
    assert most < sum(call.read) <= most + 10_000


@pytest.mark.parametrize("path", OPERATIONS)
def test_R15_a_caller_that_goes_away_in_the_middle_of_its_body_has_sent_nothing(path: str) -> None:
    desk = FrontDesk()

    answer = exchange(desk.app(), Call(path, [BODIES[path]], disconnects=True))

    assert answer.code == "PARAM_ILLEGAL"
    assert desk.taken() == []


@pytest.mark.parametrize("path", OPERATIONS)
def test_R39_a_caller_without_a_name_is_refused_with_200(path: str) -> None:
    answer = called(Call(path, [BODIES[path]], headers=[JSON]))

    assert (answer.status, answer.code) == (200, "INVALID_CLIENT")


def test_R20_header_names_are_read_in_any_case() -> None:
    call = Call(SEND, [BODIES[SEND]], headers=[("CONTENT-TYPE", "application/json"), ("cLIENT-iD", "merchant-1")])

    assert called(call).code == "SUCCESS"


@pytest.mark.parametrize("path", OPERATIONS)
@pytest.mark.parametrize("probe", ["/readyz", "/healthz"], ids=["opened before", "never there"])
def test_R31_while_the_ledger_is_away_every_answer_is_unknown_with_200(path: str, probe: str) -> None:
    desk = FrontDesk()
    exchange(desk.app(), Call(probe, method="GET"))
    desk.ledger.away = desk.templates.away = True

    answer = exchange(desk.app(), Call(path, [BODIES[path]]))

    assert answer.status == 200
    assert answer.json["result"] == {
        "resultCode": "UNKNOWN_EXCEPTION",
        "resultStatus": "U",
        "resultMessage": "An API calling is failed, which is caused by unknown reasons.",
    }


class Broken:
    """Stands for a fault of ours: whatever is asked fails with a text that nobody may see."""

    async def fail(self, *given: object, **_: object) -> dict[str, Any]:
        raise ValueError(f"{given} MARKED")

    take_one = one = many = send = lint = preview = fail


@pytest.mark.parametrize("path", OPERATIONS)
def test_R31_a_fault_of_ours_is_unknown_with_200_and_its_text_is_in_no_log_line(path: str) -> None:
    broken: Any = Broken()
    desk = FrontDesk()
    parts = dict.fromkeys(["intake", "batch_sending", "inquiries", "linter", "template_inquiries"], broken)
    app = make_app(lambda: nullcontext(replace(desk.api(), **parts)), "")

    with capture_logs() as logs:
        answer = exchange(app, Call(path, [BODIES[path]]))

    assert (answer.status, answer.code) == (200, "UNKNOWN_EXCEPTION")
    assert [(line["event"], line["error"]) for line in logs] == [("request_failed", "ValueError")]
    assert any(place.startswith("Broken.fail:") for place in logs[0]["at"])
    assert "MARKED" not in answer.body.decode() + str(logs)


def test_healthz_is_200_and_readyz_503_while_the_ledger_is_away() -> None:
    desk = FrontDesk()
    app = desk.app()
    calls = [Call(path, method="GET", headers=[]) for path in ("/healthz", "/readyz")]

    before = exchange_all(app, calls)
    desk.ledger.away = True
    away = exchange_all(app, calls)
    desk.ledger.away = False
    after = exchange_all(app, calls)

    assert [answer.status for answer in before] == [200, 200]
    assert [answer.status for answer in away] == [200, 503]
    assert away[1].json["status"] == "unavailable"
    assert after == before


def test_readyz_warns_of_stores_that_may_lose_messages_and_stays_200() -> None:
    desk = FrontDesk()
    desk.durability.of_ledger = [Finding(Severity.ERROR, "it evicts", "set maxmemory-policy noeviction")]
    desk.durability.of_broker = [Finding(Severity.WARNING, "it is full", "raise maxmemory")]

    answer = exchange(desk.app(), Call("/readyz", method="GET", headers=[]))

    assert (answer.status, answer.json["status"]) == (200, "ready")
    assert answer.json["warnings"] == [
        {"store": "ledger", "severity": "error", "what": "it evicts", "advice": "set maxmemory-policy noeviction"},
        {"store": "broker", "severity": "warning", "what": "it is full", "advice": "raise maxmemory"},
    ]


def test_a_server_that_started_before_its_ledger_takes_nothing_for_another_one() -> None:
    desk = FrontDesk()
    theirs = ["the ledger has 4 shards"]

    async def open_ledger() -> None:
        if theirs:
            raise LedgerMismatchError(theirs[0])

    app = make_app(lambda: nullcontext(replace(desk.api(), opening=Opening(open_ledger))), "")
    calls = [Call(SEND, [BODIES[SEND]]), Call("/readyz", method="GET")]

    refused, unready = exchange_all(app, calls)
    assert (refused.status, refused.code, desk.taken()) == (200, "UNKNOWN_EXCEPTION", [])
    assert (unready.status, unready.json["ledger"]) == (503, "the ledger has 4 shards")
    theirs.clear()
    taken, ready = exchange_all(app, calls)
    assert (taken.code, ready.status) == ("SUCCESS", 200)


def test_metrics_are_the_ledgers_figures_and_say_when_it_is_away() -> None:
    desk = FrontDesk()
    desk.send()
    app = desk.app()
    call = Call("/metrics", method="GET", headers=[])

    up = exchange(app, call)
    desk.ledger.away = True
    away = exchange(app, call)

    assert (up.status, away.status) == (200, 200)
    assert up.headers["content-type"].startswith("text/plain; version=")
    assert "tidings_ledger_up 1.0\n" in up.body.decode()
    assert f'tidings_deliveries{{app_id="{APP}",channel="PUSH",status="open"}} 1.0\n' in up.body.decode()
    assert away.body.decode().endswith("tidings_ledger_up 0.0\n")


def test_metrics_are_not_where_callers_are_let_in() -> None:
    answer = exchange(FrontDesk().app("/api/open"), Call("/api/open/metrics", method="GET"))

    assert (answer.status, answer.code) == (404, "INVALID_API")


def test_probes_are_asked_for_their_head_too() -> None:
    answer = called(Call("/healthz", method="HEAD", headers=[]))

    assert answer.status == 200


def test_the_api_is_open_for_as_long_as_the_server_runs() -> None:
    desk = FrontDesk()
    events: list[str] = []

    class Opened:
        async def __aenter__(self) -> Api:
            events.append("open")
            return desk.api()

        async def __aexit__(self, *_: object) -> None:
            events.append("closed")

    async def story() -> None:
        app = make_app(Opened, "")
        async with app.router.lifespan_context(app):
            assert events == ["open"]

    asyncio.run(story())

    assert events == ["open", "closed"]


HEADER_TEXTS = st.text(st.characters(max_codepoint=255), max_size=300)
NAMES = st.sampled_from(["content-type", "content-length", "client-id", "expect", "transfer-encoding", "accept"])


@given(
    st.sampled_from(OPERATIONS),
    st.lists(st.tuples(NAMES, HEADER_TEXTS | st.sampled_from(JSON_TYPES)), max_size=5),
    st.lists(st.binary(max_size=50) | st.sampled_from(list(BODIES.values())), max_size=3),
)
def test_whatever_headers_and_body_are_the_answer_is_200_with_a_result(
    path: str,
    headers: list[tuple[str, str]],
    parts: list[bytes],
) -> None:
    answer = called(Call(path, [*parts, b""], headers=headers))

    assert answer.status in {200, 413}
    assert ResultCode(answer.code)
    assert len(answer.json["result"]["resultMessage"]) <= 256


@given(st.text(max_size=40), st.sampled_from(["GET", "POST", "X"]))
def test_whatever_the_path_is_the_answer_has_a_result(path: str, method: str) -> None:
    answer = called(Call(f"/-{path}".replace("?", ""), method=method), "/api/open")

    assert (answer.status, answer.code) == (404, "INVALID_API")
