"""Batches over real HTTP, by both faces."""

import gzip
from collections.abc import Iterator

import orjson
import pytest

from api_adapter.client import RefusedError, SendAnswer, UntrustedAnswerError
from api_adapter.client.operations import MAX_CALL, parts
from tests.client_faces import Face, opened_face
from tests.front_desk import APP
from tests.harmed_api import Harm, HarmedApi
from tests.keys import signer
from tests.samples import send_body
from worker.contract.identity import message_id
from worker.contract.messages import Lane
from worker.contract.send_fields import LARGEST_SEND


def bodies(number: int) -> Iterator[bytes]:
    return (send_body(requestId=f"r{index}") for index in range(number))


def statuses(answers: list[SendAnswer]) -> str:
    return "".join(answer.status for answer in answers)


def sizes(api: HarmedApi) -> list[int]:
    return [len(orjson.loads(gzip.decompress(body))["sends"]) for _, body in api.seen]


def test_each_send_has_an_answer_in_order_and_500_go_into_a_call(api: HarmedApi, face: Face) -> None:
    answers = list(face.send_many(bodies(1_001)))

    assert [answer.message_id for answer in answers] == [message_id(APP, f"r{index}") for index in range(1_001)]
    assert sizes(api) == [500, 500, 1]
    assert {record.lane for record in api.desk.ledger.records.values()} == {Lane.BULK}


def test_sends_are_read_no_sooner_than_they_are_sent(api: HarmedApi, face: Face) -> None:
    read = []

    def source() -> Iterator[bytes]:
        for index, body in enumerate(bodies(2_000)):
            read.append(index)
            yield body

    first = next(iter(face.send_many(source())))

    assert first.taken
    assert len(read) == 501
    assert sizes(api) == [500]


def test_a_bad_send_stops_no_other_whatever_it_is(api: HarmedApi, face: Face) -> None:
    deep = b'{"requestId":"deep","x":' + b"[" * 900 + b"]" * 900 + b"}"
    bad = [b"{", b"[]", b'{}, {"a":1}', b"", b"\xff", b"x" * (LARGEST_SEND + 1), deep, send_body(templateCode="NONE")]

    answers = list(face.send_many([*bodies(2), *bad, send_body(requestId="last")]))

    assert statuses(answers) == "SS" + "F" * len(bad) + "S"
    assert [answer.result.message for answer in answers[2:9]] == [
        "$: the body is not valid JSON",
        "$: must be an object",
        "$: the body is not valid JSON",
        "$: the body is not valid JSON",
        "$: the body is not valid JSON",
        "$: the body is larger than 65536 bytes",
        "$: the body is not valid JSON",
    ]
    assert {payload.template_code for payload in api.desk.taken()} == {"PAYMENT_NOTICE"}


@pytest.mark.parametrize("harm", [Harm.ANSWER_LOST, Harm.CALL_LOST, Harm.BUSY, Harm.UNKNOWN])
def test_R52_a_batch_without_an_answer_is_repeated_and_taken_once(api: HarmedApi, face: Face, harm: Harm) -> None:
    api.harms.extend([harm, harm])

    assert statuses(list(face.send_many(bodies(3)))) == "SSS"
    assert len(api.desk.taken()) == 3
    assert sizes(api) == [3, 3, 3]
    assert [pause.sends for pause in face.pauses] == [3, 3]


def test_R52_what_alone_is_unknown_is_repeated_alone(api: HarmedApi, face: Face) -> None:
    face.send(send_body())
    api.seen.clear()
    api.harms.append(Harm.UNKNOWN)

    assert statuses(list(face.send_many([*bodies(2), send_body(requestId="bad", templateCode="")]))) == "SSF"
    assert sizes(api) == [3, 2]


def test_R36_a_batch_that_came_too_fast_waits_as_it_is_asked(api: HarmedApi, face: Face) -> None:
    api.harms.append(Harm.TOO_FAST)

    assert statuses(list(face.send_many(bodies(2)))) == "SS"
    assert [int(pause.seconds) for pause in face.pauses] == [1]


def test_what_stays_unknown_is_told_as_such_and_the_rest_goes_on(api: HarmedApi, face: Face) -> None:
    api.harms.extend([Harm.CALL_LOST, Harm.BUSY_FOR_LONG])

    answers = list(face.send_many(bodies(501)))

    assert statuses(answers) == "U" * 500 + "S"
    assert sizes(api) == [500, 500, 1]


def test_R38_a_refused_call_is_an_error_and_not_500_refusals(api: HarmedApi, kind: str) -> None:
    with (
        opened_face(kind, api.access(signer=signer("stranger"))) as face,
        pytest.raises(RefusedError, match="INVALID_SIGNATURE"),
    ):
        list(face.send_many(bodies(2)))


@pytest.mark.parametrize("harm", [Harm.TAMPERED, Harm.UNSIGNED])
def test_R26_a_batch_answer_that_the_server_did_not_sign_is_not_believed(
    api: HarmedApi, face: Face, harm: Harm
) -> None:
    api.harms.append(harm)

    with pytest.raises(UntrustedAnswerError):
        list(face.send_many(bodies(2)))


def test_R15_a_call_has_at_most_1_MiB_and_500_sends() -> None:
    large = [send_body(requestId=f"r{index}", extendInfo="x" * 4_000) for index in range(600)]

    found = list(parts(large))

    assert [body for part in found for body in part] == large
    assert len(found) == 3
    assert all(len(b",".join(part)) + 12 <= MAX_CALL for part in found)
    assert [len(part) for part in parts(bodies(1_500))] == [500, 500, 500]
    assert list(parts([])) == []


def test_the_largest_batch_is_taken(api: HarmedApi, face: Face) -> None:
    filled = [send_body(requestId=f"r{index:03}", padding="x" * 1_830) for index in range(499)]
    room = MAX_CALL - 12 - sum(len(body) + 1 for body in filled)
    empty = len(send_body(requestId="last", padding=""))
    filled.append(send_body(requestId="last", padding="x" * (room - empty - 1)))

    assert {answer.status for answer in face.send_many(filled)} == {"S"}
    assert len(api.seen) == 1
    assert MAX_CALL - 2 <= len(gzip.decompress(api.seen[0][1])) <= MAX_CALL
