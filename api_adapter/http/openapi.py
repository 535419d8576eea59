"""The OpenAPI document, written from the models that validate the requests."""

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.contract.codes import ResultCode, ResultStatus
from worker.contract.findings import Severity
from worker.contract.requests import BatchInquiry, Inquiry, SendRequest

VERSION = "0.1.0"
_REF = "#/components/schemas/{model}"
_CONTROL_CHARACTERS = (r"\p{Cc}", r"\u0000-\u001f\u007f-\u009f")
Json = dict[str, Any]
_CLIENT_ID: Json = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}


@cache
def openapi_document() -> Json:
    """Return the whole document (OpenAPI 3.1)."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in (SendRequest, Inquiry, BatchInquiry)],
        ref_template=_REF,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tidings: mini-program messages",
            "version": VERSION,
            "description": "Every answer is HTTP 200 with a `result`; S: taken or found, U: repeat with the same "
            "requestId, F: final. Other HTTP statuses mean that the request never reached the API.",
        },
        "paths": {
            "/v2/miniprogram/message/send": _operation(
                "send",
                "Take one message, to be delivered to a user as PUSH and INBOX",
                SendRequest,
                "SendAnswer",
            ),
            "/v2/miniprogram/message/inquiry": _operation(
                "inquiry",
                "Look one message up with each channel's outcome and the timeline of every attempt",
                Inquiry,
                "InquiryAnswer",
            ),
            "/v2/miniprogram/message/batchInquiry": _operation(
                "batchInquiry",
                "Look up to 10,000 requestIds up: S, U, F or NEVER_SEEN for each, in order",
                BatchInquiry,
                "BatchInquiryAnswer",
            ),
            "/healthz": _probe("healthz", "Whether the process lives", {"200": ("it does", "Alive")}),
            "/metrics": _metrics(),
            "/readyz": _probe(
                "readyz",
                "Whether sends can be taken, and what the stores may lose of them",
                {"200": ("yes", "Ready"), "503": ("the ledger is away", "NotReady")},
            ),
        },
        "components": {"schemas": {**_portable(schemas["$defs"]), **_answers(), **_probed()}},
    }


def _portable(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema whose patterns every regular expression engine reads alike, not only those that know classes."""
    match schema:
        case dict():
            return {name: _portable(inner) for name, inner in schema.items()}
        case list():
            return [_portable(inner) for inner in schema]
        case str():
            return schema.replace(*_CONTROL_CHARACTERS)
        case _:
            return schema


def _operation(name: str, summary: str, model: type[BaseModel], answer: str) -> Json:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "parameters": _request_headers(),
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}},
            },
            "responses": {
                "200": {**_json_answer("the result, be it S, U or F", answer), "headers": _answer_headers()},
                "413": {**_json_answer("the body is too large", "Refusal"), "headers": _answer_headers()},
            },
        },
    }


def _request_headers() -> list[Json]:
    signed = "required where the server takes signed requests alone, otherwise not looked at; "
    descriptions = {
        "Request-Time": signed + "ISO 8601 with offset, or milliseconds since 1970; the text is what is signed",
        "Signature": signed + "algorithm=RSA256, keyVersion=N, signature=BASE64 of `POST <path and query>`, a line "
        "break and `<Client-Id>.<Request-Time>.<body>` (RSA, SHA-256, PKCS#1 v1.5)",
    }
    optional = [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in descriptions.items()
    ]
    return [{"name": "Client-Id", "in": "header", "required": True, "schema": _CLIENT_ID}, *optional]


def _answer_headers() -> Json:
    text = {"type": "string"}
    return {
        "Client-Id": {"description": "as in the request, where the answer is signed", "schema": _CLIENT_ID},
        "Response-Time": {"description": "when the answer was signed", "schema": {**text, "format": "date-time"}},
        "Signature": {
            "description": "made like the request's, over the request's path, Client-Id, Response-Time and this body; "
            "absent where the server has no key",
            "schema": text,
        },
    }


def _json_answer(description: str, schema: str) -> Json:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model=schema)}}},
    }


def _probe(name: str, summary: str, answers: dict[str, tuple[str, str]]) -> Json:
    responses = {status: _json_answer(*answer) for status, answer in answers.items()}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _metrics() -> Json:
    text = {"schema": {"type": "string"}}
    content = {"text/plain": text, "application/openmetrics-text": text}
    answer = {"description": "the figures; tidings_ledger_up is 0 while the ledger is away", "content": content}
    summary = "The ledger's figures, as Prometheus reads them"
    return {"get": {"operationId": "metrics", "summary": summary, "responses": {"200": answer}}}


def _answers() -> Json:
    result = {"$ref": _REF.format(model="Result")}
    text = {"type": "string"}
    moment = {"type": ["integer", "null"], "description": "milliseconds since 1970"}
    settled_by = "until when it is U: its deadline, in milliseconds since 1970; null where it is no U, or U for good"
    whole = {
        "status": {"enum": ["S", "U", "F"]},
        "reason": {"enum": ["OPEN", "UNANSWERED", None], "description": "why it is U"},
        "settledBy": {"type": ["integer", "null"], "description": settled_by},
        "partial": {"type": "boolean", "description": "F, but some channel has S"},
    }
    number = {"type": "integer", "minimum": 0}
    channel = {
        "channel": {"enum": ["PUSH", "INBOX"]},
        "status": {"enum": ["S", "U", "F", "SKIPPED"]},
        "reason": whole["reason"],
        "settledBy": whole["settledBy"],
        "code": {"type": ["string", "null"]},
        "message": {"type": ["string", "null"]},
        "at": moment,
    }
    attempt = {
        "attempt": number,
        "claimedAt": moment,
        "settledAt": moment,
        "worker": text,
        "results": {"type": "array", "items": text},
    }
    found = {
        "messageId": text,
        "appId": text,
        "requestId": text,
        **whole,
        "lane": {"enum": ["single", "bulk"]},
        "templateCode": text,
        "templateVersion": number,
        "language": text,
        "takenAt": moment,
        "settledAt": moment,
        "expiresAt": moment,
        "nextTryAt": moment,
        "attempts": number,
        "tries": number,
        "crashes": number,
        "deadLetter": {"type": ["string", "null"], "description": "why it became a dead letter"},
        "channels": {"type": "array", "items": _object(channel)},
        "timeline": {"type": "array", "items": _object(attempt)},
    }
    item = _object({"requestId": text, "messageId": text, **whole}, required=["requestId", "status"])
    item["properties"]["status"] = {"enum": ["S", "U", "F", "NEVER_SEEN"]}
    return {
        "Result": _object(
            {
                "resultCode": {"enum": [code.value for code in ResultCode]},
                "resultStatus": {"enum": [status.value for status in ResultStatus]},
                "resultMessage": {"type": "string", "maxLength": 256},
            },
        ),
        "Refusal": _object({"result": result}),
        "SendAnswer": _object({"result": result, "messageId": text, "extendInfo": text}, required=["result"]),
        "InquiryAnswer": _object({"result": result, **found}, required=["result"]),
        "BatchInquiryAnswer": _object(
            {"result": result, "items": {"type": "array", "items": item}},
            required=["result"],
        ),
    }


def _probed() -> Json:
    text = {"type": "string"}
    warning = _object(
        {
            "store": {"enum": ["ledger", "broker"]},
            "severity": {"enum": [Severity.WARNING.value, Severity.ERROR.value]},
            "what": text,
            "advice": {"type": "string", "description": "what to do"},
        },
    )
    return {
        "Alive": _object({"status": {"const": "ok"}}),
        "Ready": _object({"status": {"const": "ready"}, "warnings": {"type": "array", "items": warning}}),
        "NotReady": _object({"status": {"const": "unavailable"}, "ledger": text}),
    }


def _object(properties: Json, required: list[str] | None = None) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
