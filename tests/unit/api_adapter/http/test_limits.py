"""docs/limits.md beside the API: every limit of every operation stands there, and is tried at, under and over it."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import pytest
from pydantic import TypeAdapter

from api_adapter.batch_records import LONGEST_RECORD
from api_adapter.batch_uploading import MAX_PART_BODY, MAX_PART_CONTENT
from api_adapter.cli.arguments import ArgumentError, cap, gateway
from api_adapter.decompressing import FREE_MEMBERS
from api_adapter.http.endpoints import ENDPOINTS
from api_adapter.paths import BATCHES, PARTS
from api_adapter.places import AT_ONCE, AT_ONCE_PER_CLIENT
from api_adapter.reading import MAX_BODY
from tests.asgi_calls import JSON, Answer, Call, exchange_all
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.samples import send_fields
from worker.adapters.introspection.answers import LONGEST_CUSTOMER_ID
from worker.contract.batch_jobs import MAX_PART_ROWS, MAX_ROWS
from worker.contract.batch_requests import PartName
from worker.contract.codes import MAX_RESULT_MESSAGE
from worker.contract.dead_letters import MAX_REASON
from worker.message_content import ChannelLimits

PAGE = Path(__file__).parents[4] / "docs" / "limits.md"
PART = "batchPart"
SENDER = ("Client-Id", CLIENT)
BATCH = {"appId": APP, "batchId": "june"}
ROW = b'{"requestId":"r","accessToken":"t"}'
BODIES: dict[str, dict[str, Any]] = {
    "send": send_fields(),
    "batchSend": {**send_fields(), "sends": [{"requestId": "1"}]},
    "batchCreate": {**send_fields(), **BATCH},
    "inquiry": {"appId": APP, "requestId": "1"},
    "batchInquiry": {"appId": APP, "requestIds": ["1"]},
    "reconcile": {"appId": APP, "messages": [{"requestId": "1"}]},
    "pause": {"appId": APP},
    "resume": {"appId": APP},
    "cancel": {"appId": APP},
    "lint": send_fields(),
    "template": {"templateCode": "PAYMENT_NOTICE"},
    "templates": {},
    "templatePreview": {"templateCode": "PAYMENT_NOTICE", "templates": [{"language": "en"}]},
    PART: {**BATCH, "part": "1", "sha256": hashlib.sha256(ROW).hexdigest()},
}
"""A body, or query, that each operation takes; those that are not here take the name of a batch alone."""
MODELS: dict[str, type[object]] = {**{endpoint.name: endpoint.request for endpoint in ENDPOINTS}, PART: PartName}
PATHS = {**{endpoint.name: endpoint.path for endpoint in ENDPOINTS}, PART: PARTS}
QUERIES = {PART, *(endpoint.name for endpoint in ENDPOINTS if endpoint.method == "GET")}
LANGUAGES = ("en", "ja", "de", "fr", "es", "it", "pt")
CHARACTERS = {"minLength", "maxLength"}
LOWEST = {"minLength", "minItems", "minimum"}
UNIT = {"Length": "characters", "Items": "entries"}


class Bound(NamedTuple):
    """One limit of one field of an operation."""

    operation: str
    path: tuple[str, ...]
    """Names from the body down; `[]` for the entries of an array."""
    keyword: str
    """Of JSON Schema."""
    number: int

    @property
    def field(self) -> str:
        """The field as the page names it."""
        return "".join(self.path[-2:]) if self.path[-1] == "[]" else self.path[-1]


def bounds_of(operation: str) -> list[Bound]:
    schema = TypeAdapter(MODELS[operation]).json_schema()
    definitions = schema.get("$defs", {})

    def walk(part: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Bound]:
        part = definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for keyword in ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"):
            if keyword in part:
                yield Bound(operation, path, keyword, part[keyword])
        for one in part.get("anyOf", []):
            yield from walk(one, path)
        for name, inner in part.get("properties", {}).items():
            yield from walk(inner, (*path, name))
        if "items" in part:
            yield from walk(part["items"], (*path, "[]"))

    return list(dict.fromkeys(walk(schema, ())))


BOUNDS = [bound for operation in MODELS for bound in bounds_of(operation)]


def table(title: str) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def number(cell: str) -> int:
    digits, _, unit = cell.partition(" ")
    return int(digits.replace(",", "")) * {"KiB": 1024, "MiB": 1024**2}.get(unit, 1)


def told_limits() -> dict[tuple[str, str], tuple[int, int, str]]:
    """Return what the page says of each field of each operation: at least, at most, of what."""
    found = {}
    for fields, operations, least, most, of in table("Fields"):
        for field in fields.replace("`", "").split(", "):
            for operation in MODELS if operations == "all" else operations.split(", "):
                found[operation, field] = (number(least), number(most), of)
    return found


@pytest.mark.parametrize("operation", MODELS)
def test_every_limit_of_a_field_is_told(operation: str) -> None:
    told = told_limits()

    for bound in bounds_of(operation):
        least, most, of = told[operation, bound.field]
        assert (bound.keyword, bound.number) == (bound.keyword, least if bound.keyword in LOWEST else most)
        assert of.startswith(UNIT.get(bound.keyword[3:], ("a number", "milliseconds")))


def test_no_limit_is_told_that_is_none() -> None:
    fields = {(bound.operation, bound.field) for bound in BOUNDS}
    known = {name for _, name in fields}

    for named, operations, least, _, _ in table("Fields"):
        for name in named.replace("`", "").split(", "):
            assert name in known
            if operations != "all":
                assert {(operation, name) for operation in operations.split(", ")} <= fields
            lowest = {bound.number for bound in BOUNDS if bound.field == name and bound.keyword in LOWEST}
            assert number(least) in (lowest or {0})


def text_of(length: int, path: tuple[str, ...]) -> str:
    """Return a text of so many characters that the field takes for the rest."""
    if not {"language", "preferredLanguages"} & set(path):
        return "a" * length
    subtags = ["en-x", *(["aaaaaaaa"] * 6), "aaaaa"]
    return "-".join(subtags)[:length].ljust(length, "a")


def entries(number: int, example: Any, path: tuple[str, ...]) -> list[Any]:  # noqa: ANN401 - any JSON
    if path[-1] == "templates":
        return [{"language": language} for language in LANGUAGES[:number]]
    return list("SFUS")[:number] if path[-1] == "callbackOutcomes" else [example] * number


def value_of(bound: Bound, number: int) -> object:
    """Return a value of the field that has this length, so many entries, or is this number."""
    if bound.keyword in CHARACTERS:
        return text_of(number, bound.path)
    if bound.keyword.endswith("Items"):
        example = {"messages": {"requestId": "1"}, "sends": {}, "preferredLanguages": "en"}.get(bound.path[-1], "1")
        return entries(number, example, bound.path)
    return str(number) if bound.operation in QUERIES else number


def body_with(bound: Bound, value: object) -> dict[str, Any]:
    """Return a body with the value in the bound's place."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(BODIES.get(bound.operation, BATCH)))
    if bound.operation == "lint" and bound.path[0] == "sends":
        body = {"appId": APP}
    place: Any = body
    for index, name in enumerate(bound.path[:-1]):
        if name == "[]":
            place = place[0]
            continue
        within: Any = [{}] if bound.path[index + 1] == "[]" else {}
        place = place.setdefault(name, within)
    if bound.path[-1] == "[]":
        place[:] = [value]
    else:
        place[bound.path[-1]] = value
    return body


def call_of(operation: str, body: Mapping[str, Any]) -> Call:
    path = PATHS[operation]
    if operation == PART:
        return Call(f"{path}?{urlencode(body)}", [ROW], headers=[("Content-Type", "application/x-ndjson"), SENDER])
    if operation in QUERIES:
        return Call(f"{path}?{urlencode(body)}", method="GET", headers=[SENDER])
    return Call(path, [orjson.dumps(body)])


def answers(calls: list[Call]) -> list[Answer]:
    """Answer calls one after the other, in a house with a batch."""
    desk = FrontDesk()
    create = Call(BATCHES + "create", [orjson.dumps(BATCH)])
    created, *found = exchange_all(desk.app(), [create, *calls])
    assert created.code == "SUCCESS"
    return found


def path_of(bound: Bound) -> str:
    """Return the path as a refusal has it."""
    if bound.operation == PART:
        return f"query {bound.path[-1]}"
    return "$" + "".join("[0]" if name == "[]" else f".{name}" for name in bound.path)


def rule_of(bound: Bound) -> str:
    """Return what somebody is told who goes beyond."""
    if bound.path[-1] in {"sendAt", "expireAt"}:
        return "must be a time with offset such as 2031-05-01T12:00:00+08:00, or milliseconds since 1970"
    side = "least" if bound.keyword in LOWEST else "most"
    unit = UNIT.get(bound.keyword[3:])
    if unit is None:
        return f"must be at {side} {bound.number}"
    singular = {"characters": "character", "entries": "entry"}[unit]
    return f"must have at {side} {bound.number} {singular if side == 'least' else unit}"


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.operation}-{'.'.join(bound.path)}-{bound.keyword}")
def test_R32_every_field_is_taken_at_its_limit_and_refused_beyond_by_its_path(bound: Bound) -> None:
    inwards = 1 if bound.keyword in LOWEST else -1
    calls = [
        call_of(bound.operation, body_with(bound, value_of(bound, bound.number + offset)))
        for offset in (inwards, 0, -inwards)
        if bound.number + offset >= 0 or bound.keyword == "minimum"
    ]

    *taken, beyond = (answer.body.decode() for answer in answers(calls))

    fault = f"{path_of(bound)}: {rule_of(bound)}"
    assert [fault in text for text in taken] == [False] * len(taken)
    assert "PARAM_ILLEGAL" in beyond
    assert fault in beyond


def told_bodies() -> dict[str, int]:
    return {name: number(most) for names, most in table("Bodies") for name in names.split(", ")}


def test_R15_every_body_has_its_limit_told() -> None:
    assert told_bodies() == {
        PART: MAX_PART_BODY,
        **{endpoint.name: endpoint.max_body for endpoint in ENDPOINTS if endpoint.method == "POST"},
    }


@pytest.mark.parametrize("operation", [name for name in told_bodies() if name != PART])
def test_R15_every_body_is_read_at_its_limit_and_413_beyond(operation: str) -> None:
    most = told_bodies()[operation]
    body = orjson.dumps(BODIES.get(operation, BATCH))
    calls = [
        Call(PATHS[operation], [body[:-1] + b" " * (size - len(body)) + b"}"], headers=[JSON, SENDER])
        for size in (most - 1, most, most + 1)
    ]

    under, at, over = answers(calls)

    assert [(answer.status, answer.code != "PARAM_ILLEGAL") for answer in (under, at)] == [(200, True)] * 2
    assert (over.status, over.code) == (413, "PARAM_ILLEGAL")
    assert over.json["result"]["resultMessage"] == f"the body is larger than {most} bytes"


def test_R63_the_limits_of_the_channels_are_told() -> None:
    limits = ChannelLimits()

    assert [number(most) for _, most in table("What a channel shows")] == [
        *(limits.push_title, limits.push_body, limits.inbox_title, limits.inbox_body, limits.content)
    ]


def test_the_limits_of_batch_jobs_are_told() -> None:
    told = [number(most) for _, most in table("Batch jobs")]

    assert told == [MAX_ROWS, MAX_PART_ROWS, MAX_BODY, LONGEST_RECORD, 64, AT_ONCE, AT_ONCE_PER_CLIENT, FREE_MEMBERS]
    assert f"{MAX_PART_CONTENT // 1024**2} MiB for batchPart" in PAGE.read_text(encoding="utf-8")
    assert f"at most {MAX_RESULT_MESSAGE} characters" in PAGE.read_text(encoding="utf-8")


def test_the_limits_of_what_an_operator_gives_are_told() -> None:
    name, rate, messages, customer, reason, days = (number(most) for _, most in table("What the operator gives"))

    assert gateway(f"{'n' * name}=http://10.0.0.7;rate={rate}/s", "x").rate == rate
    assert cap(f"{messages}/{days}d").messages == messages
    assert (customer, reason) == (LONGEST_CUSTOMER_ID, MAX_REASON)
    for beyond in (f"{'n' * (name + 1)}=http://10.0.0.7", f"http://10.0.0.7;rate={rate + 1}/s"):
        with pytest.raises(ArgumentError):
            gateway(beyond, "x")
    for beyond in (f"{messages + 1}/1d", f"1/{days + 1}d"):
        with pytest.raises(ArgumentError):
            cap(beyond)


@pytest.mark.parametrize("digest", ["a" * 63, "a" * 65, "g" * 64, "", "a" * 63 + "@"])
def test_a_digest_that_is_none_is_told_so(digest: str) -> None:
    (answer,) = answers([call_of(PART, {**BODIES[PART], "sha256": digest})])

    assert answer.json["result"]["resultMessage"] == "query sha256: must be a SHA-256 as 64 hexadecimal digits"


@pytest.mark.parametrize(
    ("operation", "field", "value", "rule"),
    [
        ("batchResults", "limit", "1", "must be a whole number"),
        ("batchResults", "limit", 1.5, "must be a whole number"),
        ("batchRun", "parts", True, "must be a whole number"),
        ("batchResults", "status", "X", "must be 'S', 'U' or 'F'"),
        ("batchErrors", "csv", "yes", "must be true or false"),
        ("batchSend", "atomic", 1, "must be true or false"),
        ("templates", "limit", "many", "must be a whole number"),
        ("templates", "limit", "9" * 5_000, "must be a whole number"),
    ],
)
def test_R32_what_is_of_another_kind_is_told_what_it_must_be(
    operation: str, field: str, value: object, rule: str
) -> None:
    (answer,) = answers([call_of(operation, {**BODIES.get(operation, BATCH), field: value})])

    assert answer.json["result"]["resultMessage"] == f"$.{field}: {rule}"
