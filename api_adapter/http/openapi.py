"""The OpenAPI document, written from the models that validate the requests."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from api_adapter.http.batch_parts import PART_SCHEMA, UPLOADING
from api_adapter.http.endpoint import Endpoint
from api_adapter.http.endpoints import ENDPOINTS
from api_adapter.http.schemas import REF, RESULT, TEXT, object_schema
from api_adapter.inquiries import Json
from api_adapter.paths import PARTS
from worker.contract.codes import ResultCode, ResultStatus
from worker.contract.findings import Severity

VERSION = "0.1.0"
_CONTROL_CHARACTERS = (r"\p{Cc}", r"\u0000-\u001f\u007f-\u009f")
_CLIENT_ID: Json = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}


@cache
def openapi_document() -> Json:
    """Return the whole document (OpenAPI 3.1)."""
    _, schemas = TypeAdapter.json_schemas(
        [
            (endpoint.name, "validation", TypeAdapter(endpoint.request))
            for endpoint in ENDPOINTS
            if endpoint.method == "POST"
        ],
        ref_template=REF,
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
            **{endpoint.path: _operation(endpoint) for endpoint in ENDPOINTS},
            PARTS: _upload(),
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


def _operation(endpoint: Endpoint) -> Json:
    return {"get": _get(endpoint)} if endpoint.method == "GET" else {"post": _post(endpoint)}


def _get(endpoint: Endpoint) -> Json:
    schema = TypeAdapter(endpoint.request).json_schema(ref_template=REF)
    query = [
        {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": _portable(of)}
        for name, of in schema["properties"].items()
    ]
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_request_headers(), *query],
        "responses": {"200": _found(endpoint)},
    }


def _post(endpoint: Endpoint) -> Json:
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": _request_headers(),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REF.format(model=endpoint.request.__name__)}}},
        },
        "responses": {
            "200": _found(endpoint),
            "408": {**_json_answer("the body did not arrive in time", "Refusal"), "headers": _answer_headers()},
            "413": {**_json_answer("the body is too large", "Refusal"), "headers": _answer_headers()},
        },
    }


def _upload() -> Json:
    answers = {
        "200": {**_json_answer("the result, be it S, U or F", "BatchPartAnswer"), "headers": _answer_headers()},
        "408": {**_json_answer("the body did not arrive in time", "Refusal"), "headers": _answer_headers()},
        "413": {**_json_answer("the body is too large", "Refusal"), "headers": _answer_headers()},
    }
    parameters = [*_portable(UPLOADING["parameters"]), *_request_headers()]
    return {"post": {**UPLOADING, "parameters": parameters, "responses": answers}}


def _found(endpoint: Endpoint) -> Json:
    answer = _json_answer("the result, be it S, U or F", endpoint.answer)
    answer["content"] |= {media_type: {"schema": TEXT} for media_type in endpoint.media_types}
    return {**answer, "headers": {**_answer_headers(), **endpoint.headers}}


def _request_headers() -> list[Json]:
    signed = "required where the server takes signed requests alone, otherwise not looked at; "
    descriptions = {
        "Request-Time": signed + "ISO 8601 with offset, or milliseconds since 1970; the text is what is signed",
        "Signature": signed + "algorithm=RSA256, keyVersion=N, signature=BASE64 of `<method> <path and query>`, a line "
        "break and `<Client-Id>.<Request-Time>.<body>`, the body of a GET being empty (RSA, SHA-256, PKCS#1 v1.5)",
    }
    optional = [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in descriptions.items()
    ]
    return [{"name": "Client-Id", "in": "header", "required": True, "schema": _CLIENT_ID}, *optional]


def _answer_headers() -> Json:
    return {
        "Client-Id": {"description": "as in the request, where the answer is signed", "schema": _CLIENT_ID},
        "Response-Time": {"description": "when the answer was signed", "schema": {**TEXT, "format": "date-time"}},
        "Signature": {
            "description": "made like the request's, over the request's path, Client-Id, Response-Time and this body; "
            "absent where the server has no key",
            "schema": TEXT,
        },
    }


def _json_answer(description: str, schema: str) -> Json:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": REF.format(model=schema)}}},
    }


def _probe(name: str, summary: str, answers: dict[str, tuple[str, str]]) -> Json:
    responses = {status: _json_answer(*answer) for status, answer in answers.items()}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _metrics() -> Json:
    text = {"schema": TEXT}
    content = {"text/plain": text, "application/openmetrics-text": text}
    answer = {"description": "the figures; tidings_ledger_up is 0 while the ledger is away", "content": content}
    summary = "The ledger's figures, as Prometheus reads them"
    return {"get": {"operationId": "metrics", "summary": summary, "responses": {"200": answer}}}


def _answers() -> Json:
    return {
        "Result": object_schema(
            {
                "resultCode": {"enum": [code.value for code in ResultCode]},
                "resultStatus": {"enum": [status.value for status in ResultStatus]},
                "resultMessage": {"type": "string", "maxLength": 256},
            },
        ),
        "Refusal": object_schema({"result": RESULT}),
        "BatchPartAnswer": PART_SCHEMA,
        **{name: schema for endpoint in ENDPOINTS for name, schema in endpoint.schemas.items()},
    }


def _probed() -> Json:
    warning = object_schema(
        {
            "store": {"enum": ["ledger", "broker"]},
            "severity": {"enum": [Severity.WARNING.value, Severity.ERROR.value]},
            "what": TEXT,
            "advice": {"type": "string", "description": "what to do"},
        },
    )
    return {
        "Alive": object_schema({"status": {"const": "ok"}}),
        "Ready": object_schema({"status": {"const": "ready"}, "warnings": {"type": "array", "items": warning}}),
        "NotReady": object_schema({"status": {"const": "unavailable"}, "ledger": TEXT}),
    }
