import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_adapter.http.sending import send_json
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.samples import send_fields
from worker.contract.codes import MAX_RESULT_MESSAGE, SUCCESS, ResultCode, ResultStatus
from worker.contract.messages import Lane
from worker.contract.send_request import LenientSendRequest

Json: TypeAlias = Any
HEADERS = {"client-id": CLIENT}
TEXTS = st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=12,
)
VALUES = ANYTHING | st.sampled_from([APP, "PAYMENT_NOTICE", "token-of-a-user", "", "a" * 5000, "😀" * 64, 10**400])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "language": VALUES | st.sampled_from(["en", "EN_us", "ja-x-y", "i-klingon"]),
        "templateParameters": VALUES,
    },
)
FIELDS = st.dictionaries(
    st.sampled_from([*send_fields(), "extendInfo", "actionUrl", "customerBelongsTo", "messageId", "requestIds"])
    | TEXTS,
    VALUES,
    max_size=6,
)
CHANGED = st.builds(
    lambda changes, entries: send_fields() | changes | ({"templates": entries} if entries else {}),
    FIELDS,
    st.lists(ENTRIES, max_size=6),
)
"""Sends of which some fields are anything at all."""
BODIES = st.binary(max_size=200) | (ANYTHING | FIELDS | CHANGED).map(lambda value: json.dumps(value).encode())
"""Bytes, JSON, and what Python writes that is no JSON: NaN, lone surrogates, numbers beyond 64 bits."""


def assert_is_a_result(answer: Json) -> None:
    result = answer["result"]
    assert ResultCode(result["resultCode"])
    assert ResultStatus(result["resultStatus"]) is not ResultStatus.U
    assert 0 < len(result["resultMessage"]) <= MAX_RESULT_MESSAGE
    assert orjson.loads(orjson.dumps(answer)) == answer


@given(st.lists(BODIES, max_size=4))
def test_whatever_the_bodies_are_each_has_a_result(bodies: list[bytes]) -> None:
    answers = FrontDesk().take(bodies, Lane.BULK)

    assert len(answers) == len(bodies)
    for answer in answers:
        assert_is_a_result(send_json(answer))
        assert (answer.message_id is not None) == (answer.result.status is ResultStatus.S)


@given(BODIES)
def test_whatever_the_body_is_it_has_a_result_where_extend_info_may_be_an_object(body: bytes) -> None:
    (answer,) = FrontDesk(request_model=LenientSendRequest).take([body])

    assert_is_a_result(send_json(answer))


@given(BODIES)
def test_whatever_is_asked_for_has_a_result(body: bytes) -> None:
    desk = FrontDesk()

    assert_is_a_result(asyncio.run(desk.inquiries.one(HEADERS, body)))
    assert_is_a_result(asyncio.run(desk.inquiries.many(HEADERS, body)))


@given(st.lists(CHANGED.map(lambda fields: json.dumps(fields).encode()), min_size=1, max_size=3))
def test_R50_whatever_was_taken_is_answered_alike_for_ever_and_repeats_take_nothing(bodies: list[bytes]) -> None:
    desk = FrontDesk()

    first = [desk.take([body])[0] for body in bodies]
    records = dict(desk.ledger.records)
    again = [desk.take([body])[0] for body in bodies]

    taken = [index for index, answer in enumerate(first) if answer.result == SUCCESS]
    assert [again[index].message_id for index in taken] == [first[index].message_id for index in taken]
    assert desk.ledger.records == records


PARAMETERS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.just("x"), max_size=4)


def written(fields: dict[str, Any], write: Callable[[Json], str]) -> bytes:
    return write(fields).encode()


def reversed_keys(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: reversed_keys(inner) for name, inner in reversed(value.items())}
    if isinstance(value, list):
        return [reversed_keys(inner) for inner in value]
    return value


SPELLINGS: list[Callable[[Json], str]] = [
    lambda fields: json.dumps(fields, ensure_ascii=True),
    lambda fields: json.dumps(fields, ensure_ascii=False),
    lambda fields: json.dumps(fields, indent=3),
    lambda fields: json.dumps(fields, separators=(" ,\n\t", "\r: ")),
    lambda fields: json.dumps(reversed_keys(fields)),
    lambda fields: json.dumps(fields, sort_keys=True),
    lambda fields: json.dumps({"unknown": [1, {"x": None}], **fields}),
    lambda fields: json.dumps(fields).replace("/", "\\/"),
    lambda fields: json.dumps({**fields, "extendInfo": None, "customerBelongsTo": None}),
]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(PARAMETERS, st.text(st.characters(exclude_categories=["Cs"]), max_size=10), st.permutations(SPELLINGS))
def test_R53_however_the_json_is_written_it_is_the_same_content(
    extra: dict[str, str],
    who: str,
    spellings: list[Callable[[Json], str]],
) -> None:
    fields = send_fields(templates=[{"language": "en_us", "templateParameters": {**extra, "who": who}}])
    desk = FrontDesk()

    answers = {desk.take([written(fields, spelling)])[0].message_id for spelling in spellings}

    assert len(answers) == 1
    assert None not in answers
    assert len(desk.taken()) == 1


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10), st.integers(0, 9))
def test_R41_R53_a_value_that_differs_in_one_character_is_another_content(who: str, place: int) -> None:
    at = place % len(who)
    other = who[:at] + chr((ord(who[at]) + 1) % 0xD800) + who[at + 1 :]
    desk = FrontDesk()

    codes = [desk.code(templates=[{"templateParameters": {"who": one}}]) for one in (who, other)]

    assert codes == [ResultCode.SUCCESS, ResultCode.REPEAT_REQ_INCONSISTENT]
