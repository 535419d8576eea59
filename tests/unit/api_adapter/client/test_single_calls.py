"""Sends and look-ups, one call each, over real HTTP, by both faces (CONTRACT R20-R31, R50-R52, R70-R72)."""

import itertools

import pytest

from api_adapter.client import (
    ClientError,
    Content,
    Expectation,
    Patience,
    RefusedError,
    Send,
    UnknownError,
    UntrustedAnswerError,
)
from tests.client_faces import Face, opened_face
from tests.front_desk import APP
from tests.harmed_api import Harm, HarmedApi
from tests.keys import public_pem, signer
from tests.samples import send_body, send_fields
from worker.clock import SystemClock
from worker.contract.identity import message_id

TOKEN = send_fields()["accessToken"]
LOST = [Harm.ANSWER_LOST, Harm.CALL_LOST, Harm.BUSY]


def a_send(**replaced: object) -> Send:
    return Send.model_validate(send_fields(**replaced))


def test_R23_a_signed_send_is_taken_and_R26_its_signed_answer_is_believed(api: HarmedApi, face: Face) -> None:
    answer = face.send(a_send(requestId="r1", templates=[{"templateParameters": {"who": "小明 😀"}}]))

    assert (answer.taken, answer.request_id, answer.message_id) == (True, "r1", message_id(APP, "r1"))
    assert [payload.parameters for payload in api.desk.taken()] == [{"who": "小明 😀"}]


@pytest.mark.parametrize("send", [a_send(), send_fields(), send_body()], ids=["model", "mapping", "JSON"])
def test_a_send_may_be_a_model_a_mapping_or_json(face: Face, send: Send) -> None:
    assert face.send(send).request_id == send_fields()["requestId"]


@pytest.mark.parametrize("harm", LOST)
def test_R52_what_got_no_answer_is_repeated_under_the_same_request_id(api: HarmedApi, face: Face, harm: Harm) -> None:
    api.harms.extend([harm, harm])

    assert face.send(a_send()).taken
    assert len(api.desk.taken()) == 1
    assert len({body for _, body in api.seen}) == 1
    assert [pause.sends for pause in face.pauses] == [1, 1]


def test_R31_U_is_repeated_until_it_is_settled(api: HarmedApi, face: Face) -> None:
    api.harms.extend([Harm.UNKNOWN, Harm.UNKNOWN])

    assert face.send(a_send()).taken
    assert len(api.seen) == 3


def test_an_unreadable_answer_is_no_answer(api: HarmedApi, kind: str) -> None:
    api.harms.append(Harm.GARBAGE)

    with opened_face(kind, api.access(server_keys={})) as face:
        assert face.send(a_send()).taken
    assert len(api.seen) == 2


def test_each_try_is_signed_anew(api: HarmedApi, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two tries may well be made within one millisecond of the machine's clock, and one time has one signature.
    milliseconds = itertools.count(SystemClock().now())
    monkeypatch.setattr(SystemClock, "now", lambda _: next(milliseconds))
    api.harms.append(Harm.BUSY)
    face.send(a_send())

    first, second = api.signatures
    assert first != second


def test_R36_a_call_that_came_too_fast_is_made_again_when_the_api_says(api: HarmedApi, face: Face) -> None:
    api.harms.append(Harm.TOO_FAST)

    assert face.send(a_send()).taken
    (pause,) = face.pauses
    assert 1.0 <= pause.seconds < 1.1


def test_R36_who_is_asked_to_wait_beyond_its_patience_is_told_so_at_once(api: HarmedApi, face: Face) -> None:
    api.harms.append(Harm.TOO_FAST_FOR_LONG)

    with pytest.raises(RefusedError, match="REQUEST_TRAFFIC_EXCEED_LIMIT") as refused:
        face.send(a_send())

    assert (refused.value.retry_after, face.pauses) == (3_600.0, [])


def test_what_stays_unknown_is_an_error_that_says_to_repeat(api: HarmedApi, face: Face) -> None:
    api.harms.extend([Harm.CALL_LOST, Harm.BUSY_FOR_LONG])

    with pytest.raises(UnknownError, match="Repeat it with the same requestId") as unknown:
        face.send(a_send())

    assert unknown.value.result.code == "UNKNOWN_EXCEPTION"
    assert len(api.seen) == 2


def test_nobody_listening_is_unknown_too(kind: str, api: HarmedApi) -> None:
    access = api.access(url="http://127.0.0.1:1")

    with opened_face(kind, access, Patience(total=0.1, first=0.01)) as face, pytest.raises(UnknownError):
        face.send(a_send())


@pytest.mark.parametrize(
    ("replaced", "code"),
    [({"templateCode": "NONE"}, "TEMPLATE_NOT_EXIST"), ({"appId": "other"}, "ACCESS_DENIED")],
)
def test_F_is_an_error_that_says_why_and_is_not_repeated(
    api: HarmedApi, face: Face, replaced: dict[str, str], code: str
) -> None:
    with pytest.raises(RefusedError, match=code) as refused:
        face.send(a_send(**replaced))

    assert refused.value.result.code == code
    assert len(api.seen) == 1


def test_R38_another_key_is_refused(api: HarmedApi, kind: str) -> None:
    with (
        opened_face(kind, api.access(signer=signer("stranger"))) as face,
        pytest.raises(RefusedError, match="INVALID_SIGNATURE"),
    ):
        face.send(a_send())


@pytest.mark.parametrize("harm", [Harm.TAMPERED, Harm.UNSIGNED, Harm.GARBAGE])
def test_R26_an_answer_that_the_server_did_not_sign_is_not_believed(api: HarmedApi, face: Face, harm: Harm) -> None:
    api.harms.append(harm)

    with pytest.raises(UntrustedAnswerError, match="nothing it says is believed"):
        face.send(a_send())
    assert len(api.seen) == 1


@pytest.mark.parametrize("keys", [{7: public_pem("stranger")}, {8: public_pem("server")}])
def test_R26_nor_is_one_by_another_key_or_version(api: HarmedApi, kind: str, keys: dict[int, str]) -> None:
    with opened_face(kind, api.access(server_keys=keys)) as face, pytest.raises(UntrustedAnswerError):
        face.send(a_send())


def test_R26_nor_is_one_that_was_signed_some_time_ago(api: HarmedApi, kind: str) -> None:
    with (
        opened_face(kind, api.access(skew=-1)) as face,
        pytest.raises(UntrustedAnswerError, match="not signed just now"),
    ):
        face.send(a_send())


def test_what_is_not_the_api_says_to_check_the_url(api: HarmedApi, kind: str) -> None:
    access = api.access(url=api.url.replace("/api/open", "/nowhere"))

    with opened_face(kind, access) as face, pytest.raises(RefusedError, match="INVALID_API: no API has this path"):
        face.send(a_send())


def test_a_send_that_is_too_large_is_refused(face: Face) -> None:
    with pytest.raises(RefusedError, match="larger than 65536 bytes"):
        face.send(a_send(extendInfo="x" * 70_000))


def test_no_error_and_no_model_shows_the_token(api: HarmedApi, face: Face) -> None:
    send = a_send(templates=[{"templateParameters": {"who": "hush"}}])
    shown = repr(send) + str(send)
    for harm in (Harm.TAMPERED, None):
        api.harms.append(harm)
        with pytest.raises(ClientError) as told:
            face.send(a_send(templateCode="NONE"))
        shown += f"{told.value!r}{told.value}{told.value.__dict__}"

    assert TOKEN not in shown
    assert "hush" not in shown


def test_a_model_that_is_none_does_not_show_what_was_given() -> None:
    with pytest.raises(ValueError, match="templateCode") as refused:
        Send.model_validate({"accessToken": "hush", "templates": ["hush"]})

    assert "hush" not in str(refused.value)


def test_fields_may_be_given_by_the_names_of_python() -> None:
    send = Send(
        app_id=APP,
        access_token=TOKEN,
        request_id="r1",
        template_code="PAYMENT_NOTICE",
        redirect_url="/pages/1",
        templates=(Content(template_parameters={"who": "XiaoMing"}, language="en-US"),),
    )

    assert send == a_send(requestId="r1")


def test_R70_a_message_is_looked_up_by_either_id(face: Face) -> None:
    taken = face.send(a_send(requestId="r1"))

    found = face.inquire(APP, "r1")

    assert found is not None
    assert (found.status, found.reason, found.request_id, found.message_id) == ("U", "OPEN", "r1", taken.message_id)
    assert [channel.channel for channel in found.channels] == ["PUSH", "INBOX"]
    assert face.inquire_message(str(taken.message_id)) == found


def test_R71_what_was_never_taken_is_none_and_what_is_anothers_is_refused(face: Face) -> None:
    assert face.inquire(APP, "never") is None
    with pytest.raises(RefusedError, match="ACCESS_DENIED"):
        face.inquire("other", "r1")


def test_R72_many_are_looked_up_in_order_however_many(api: HarmedApi, face: Face) -> None:
    face.send(a_send(requestId="r2"))
    ids = [f"r{number}" for number in range(10_001)]

    found = list(face.inquire_many(APP, ids))

    assert [status.request_id for status in found] == ids
    assert [status.request_id for status in found if status.status != "NEVER_SEEN"] == ["r2"]
    assert len(api.seen) == 3


def test_R15_ids_of_many_bytes_are_looked_up_in_smaller_parts(api: HarmedApi, face: Face) -> None:
    ids = [f"{number:04}" + "収" * 60 for number in range(9_000)]

    assert [status.request_id for status in face.inquire_many(APP, ids)] == ids
    assert list(face.reconcile(APP, (Expectation(request_id, "NEVER_SEEN") for request_id in ids))) == []
    assert len(api.seen) == 4
    assert all(len(body) <= 1024 * 1024 for _, body in api.seen)


def test_a_look_up_without_an_answer_is_repeated_too(api: HarmedApi, face: Face) -> None:
    api.harms.extend([Harm.UNKNOWN, Harm.ANSWER_LOST, Harm.BUSY])

    assert [status.status for status in face.inquire_many(APP, ["a"])] == ["NEVER_SEEN"]
    assert {pause.sends for pause in face.pauses} == {0}


def test_books_are_laid_beside_the_ledger_however_long_they_are(api: HarmedApi, face: Face) -> None:
    for number in (1, 2, 10_003):
        face.send(a_send(requestId=f"r{number}"))
    books = [Expectation(f"r{number}", "NEVER_SEEN") for number in range(10_005)]
    books[1:4] = [Expectation("r1"), Expectation("r2", "S"), Expectation("r3")]

    found = list(face.reconcile(APP, books))

    assert [(one.index, one.request_id, one.expected, one.status, one.reason) for one in found] == [
        (2, "r2", "S", "U", "OPEN"),
        (3, "r3", None, "NEVER_SEEN", None),
        (10_003, "r10003", "NEVER_SEEN", "U", "OPEN"),
    ]
    assert len(api.seen) == 5
