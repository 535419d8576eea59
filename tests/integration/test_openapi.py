import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31

from api_adapter.http.openapi import openapi_document
from tests.asgi_calls import Call, exchange
from tests.front_desk import APP, TOKEN, FrontDesk, grant, user, wallet
from tests.samples import INBOX, PUSH, send_body
from worker.contract.errors import ContractViolationError
from worker.contract.identity import message_id, shard_of
from worker.contract.messages import DeliveryState, DeliveryUpdate, Settlement, Verdict
from worker.contract.parsing import parse
from worker.contract.requests import BatchInquiry, Inquiry
from worker.contract.send_request import SendRequest
from worker.contract.users import SendCap

Schema = jsonschema.Draft202012Validator


def matches(_validator: object, pattern: str, text: object, _schema: object) -> Iterator[jsonschema.ValidationError]:
    """Hold a text to a pattern as JSON Schema means it: `$` is the end, not the place before a last line break."""
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
        yield jsonschema.ValidationError("does not match")


EcmaSchema: type[Schema] = jsonschema.validators.extend(Schema, {"pattern": matches})  # type: ignore[no-untyped-call]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ID = message_id(APP, "10017019")
DOCUMENT = openapi_document()
BOUNDED = settings(max_examples=40, suppress_health_check=list(HealthCheck))
"""For each operation."""


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_is(_context: object, value: object) -> bytes:
    """Send what no JSON is as the text that it is."""
    return value if isinstance(value, bytes) else str(value).encode()


documented = schemathesis.openapi.from_dict(DOCUMENT)
documented.app = FrontDesk().app()


def validator(name: str) -> Schema:
    """Return a validator for one of the document's schemas."""
    return EcmaSchema({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def answered(desk: FrontDesk, path: str, body: Mapping[str, object] | bytes) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return exchange(desk.app(), Call(f"/v2/miniprogram/message/{path}", [raw])).json


def settle(desk: FrontDesk, verdict: Verdict, *updates: DeliveryUpdate, cause: str = "") -> None:
    async def work() -> None:
        (claim,) = await desk.ledger.claim(shard_of(ID, desk.ledger.shards), [ID], "c1")
        await desk.ledger.settle([Settlement(ID, "c1", claim.attempt, verdict, updates, 1, 10, cause, "w1")])

    asyncio.run(work())


def test_the_document_is_valid_openapi_3_1() -> None:
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    Schema(OPENAPI_31).validate(DOCUMENT)


def test_the_document_is_served() -> None:
    answer = exchange(FrontDesk().app(), Call("/openapi.json", method="GET"))

    assert (answer.status, answer.json) == (200, DOCUMENT)


def test_every_schema_of_the_document_is_valid_json_schema() -> None:
    assert {"SendRequest", "SendAnswer", "InquiryAnswer", "Result"} <= DOCUMENT["components"]["schemas"].keys()
    for schema in DOCUMENT["components"]["schemas"].values():
        Schema.check_schema(schema, format_checker=Schema.FORMAT_CHECKER)


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(inner) for name, inner in value.items() if name == "$ref")
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from references(inner)


def test_every_reference_of_the_document_leads_to_one_of_its_schemas() -> None:
    schemas = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}

    assert set(references(DOCUMENT)) <= schemas


@documented.parametrize()
@BOUNDED
def test_whatever_is_called_the_answer_is_as_documented(case: "schemathesis.Case[Any]") -> None:
    case.call_and_validate(checks=CHECKS)


@pytest.mark.parametrize(
    "body",
    [send_body(), send_body(actionUrl="/action"), send_body(templates=[]), send_body(accessToken="other"), b"nonsense"],
    ids=["taken", "with lint", "refused", "unknown token", "no JSON"],
)
def test_every_kind_of_answer_to_a_send_is_as_documented(body: bytes) -> None:
    validator("SendAnswer").validate(answered(FrontDesk(), "send", body))


def test_every_kind_of_answer_to_a_look_up_is_as_documented() -> None:
    desk = FrontDesk()
    stages = [answered(desk, "inquiry", {"messageId": ID})]
    desk.send()
    stages.append(answered(desk, "inquiry", {"messageId": ID}))
    settle(
        desk, Verdict.RETRY, DeliveryUpdate(PUSH, DeliveryState.S), DeliveryUpdate(INBOX, DeliveryState.OPEN, "BUSY")
    )
    stages.append(answered(desk, "inquiry", {"messageId": ID}))
    desk.ledger.now += 10
    settle(desk, Verdict.DEAD, DeliveryUpdate(INBOX, DeliveryState.U, "UNANSWERED"), cause="UNANSWERED")
    stages.append(answered(desk, "inquiry", {"messageId": ID}))
    desk.ledger.away = True
    stages.append(answered(desk, "inquiry", {"messageId": ID}))

    assert [stage.get("deadLetter", "none") for stage in stages] == ["none", None, None, "UNANSWERED", "none"]
    for stage in stages:
        validator("InquiryAnswer").validate(stage)


def test_a_skipped_channel_is_looked_up_as_documented() -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(user(opted_out=frozenset({PUSH})))
    desk.send()

    answer = answered(desk, "inquiry", {"messageId": ID})

    assert answer["channels"][0]["status"] == "SKIPPED"
    validator("InquiryAnswer").validate(answer)


def test_every_kind_of_answer_to_many_look_ups_is_as_documented() -> None:
    desk = FrontDesk()
    desk.send()

    found = answered(desk, "batchInquiry", {"appId": APP, "requestIds": ["10017019", "never"]})
    refused = answered(desk, "batchInquiry", {"appId": APP, "requestIds": []})

    assert [item["status"] for item in found["items"]] == ["U", "NEVER_SEEN"]
    validator("BatchInquiryAnswer").validate(found)
    validator("BatchInquiryAnswer").validate(refused)


def test_every_kind_of_answer_to_a_lint_is_as_documented() -> None:
    desk = FrontDesk()
    desk.wallets.wallets["GCASH"] = wallet(cap=SendCap(5, 1_000))
    desk.app_rates[APP] = 5
    bodies = [
        send_body(),
        send_body(templates=[{"templateParameters": {"who": "x" * 2_000}}]),
        send_body(templates=[{"language": "ja"}]),
        send_body(accessToken="other"),
        b'{"sends":[1,{},{}]}',
        b"nonsense",
    ]

    fates = []
    for body in bodies:
        answer = answered(desk, "lint", body)
        validator("LintAnswer").validate(answer)
        fates.append([item["fate"] for item in answer.get("items", [])])

    assert fates == [["TAKEN"], ["UNDELIVERABLE"], ["REFUSED"], ["REFUSED"], ["REFUSED"] * 3, []]


def test_every_kind_of_answer_about_templates_is_as_documented() -> None:
    desk = FrontDesk()
    client = [("Client-Id", "merchant-1")]
    entries = [{"templateParameters": {"who": "x" * 2_000}}, {"language": "ja"}]
    shown = answered(desk, "templatePreview", {"templateCode": "PAYMENT_NOTICE", "templates": entries})

    one, none, many = (
        exchange(desk.app(), Call(f"/v2/miniprogram/message/{path}", method="GET", headers=client)).json
        for path in ("template?templateCode=PAYMENT_NOTICE", "template?templateCode=A", "templates")
    )

    assert (one["template"]["code"], none["result"]["resultStatus"], len(many["templates"])) == (
        "PAYMENT_NOTICE",
        "F",
        1,
    )
    validator("TemplateAnswer").validate(one)
    validator("TemplateAnswer").validate(none)
    validator("TemplatesAnswer").validate(many)
    validator("TemplatePreviewAnswer").validate(shown)


def test_an_answer_with_a_field_missing_is_not_as_documented() -> None:
    answer = answered(FrontDesk(), "send", send_body())
    del answer["result"]["resultStatus"]

    assert not validator("SendAnswer").is_valid(answer)


ID_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)


@example("0\n")
@given(ID_TEXTS)
def test_R12_R14_the_document_says_of_ids_what_the_api_does(text: str) -> None:
    bodies: list[tuple[type[SendRequest | Inquiry | BatchInquiry], bytes]] = [
        (SendRequest, send_body(requestId=text)),
        (Inquiry, orjson.dumps({"messageId": text})),
        (BatchInquiry, orjson.dumps({"appId": "a", "requestIds": [text]})),
    ]

    for model, body in bodies:
        as_documented = validator(model.__name__).is_valid(orjson.loads(body))
        try:
            parse(model, body)
        except ContractViolationError:
            assert not as_documented
        else:
            assert as_documented
