import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import NOON
from worker.adapters.gateways.answers import (
    DEFAULT_PAUSE,
    LONGEST_PAUSE,
    OUR_FAULT_PAUSE,
    pause_of,
    read_answers,
    read_inquiry,
)
from worker.contract.answers import Answer, AnswerKind

MESSAGES = ["m1", "m2", "m3"]
DELIVERED = Answer(AnswerKind.DELIVERED)
MISSING = Answer(AnswerKind.UNANSWERED, "", "the gateway's answer lacks this message")
UNREADABLE = Answer(AnswerKind.UNANSWERED, "", "the gateway's answer is unreadable")
SUCCESS = {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"}


def entry(message_id: str, **fields: object) -> dict[str, object]:
    return {"messageId": message_id, "success": True, "retry": False, **fields}


def answers_to(content: object, status: int = 200, retry_after: str | None = None) -> list[Answer]:
    return read_answers(MESSAGES, status, retry_after, orjson.dumps(content), NOON)


def results(*entries: object) -> list[Answer]:
    return answers_to({"result": SUCCESS, "messageSendResults": entries})


def first_result(**fields: object) -> Answer:
    return results(entry("m1", **fields), entry("m2"), entry("m3"))[0]


def whole(status: str, code: str | None = "CODE", message: str | None = "text") -> Answer:
    """Return the answer of every message of a call that has this result as a whole."""
    result = {"resultCode": code, "resultStatus": status, "resultMessage": message}
    return only(answers_to({"result": result}))


def of_status(status: int, retry_after: str | None = None) -> Answer:
    return only(read_answers(MESSAGES, status, retry_after, b"<html>whatever</html>", NOON))


def only(answers: list[Answer]) -> Answer:
    """Return what all messages of the call were answered alike."""
    assert answers == answers[:1] * len(MESSAGES)
    return answers[0]


def test_R68_success_true_is_delivered() -> None:
    assert results(entry("m1"), entry("m2"), entry("m3")) == [DELIVERED] * 3


def test_R68_success_false_without_retry_is_refused_at_once() -> None:
    answer = first_result(success=False, retry=False, resultCode="USER_NOT_EXIST", resultMessage="no such user")

    assert answer == Answer(AnswerKind.REFUSED, "USER_NOT_EXIST", "no such user")


def test_R68_success_false_with_retry_is_tried_again() -> None:
    answer = first_result(success=False, retry=True, resultCode="SYSTEM_BUSY", resultMessage="later")

    assert answer == Answer(AnswerKind.RETRYABLE, "SYSTEM_BUSY", "later")


@pytest.mark.parametrize("retry", [None, "true", 1, 0, []], ids=str)
def test_R68_only_retry_true_is_tried_again(retry: object) -> None:
    assert first_result(success=False, retry=retry).kind is AnswerKind.REFUSED


@pytest.mark.parametrize("success", [None, "true", 1, 0, []], ids=str)
def test_R68_an_entry_that_does_not_say_whether_it_succeeded_is_no_answer(success: object) -> None:
    assert first_result(success=success) == MISSING


def test_R68_an_entry_needs_no_code_and_no_text() -> None:
    assert first_result(success=False, retry=True) == Answer(AnswerKind.RETRYABLE, "PROCESS_FAIL", "")
    assert first_result(success=False, resultCode=None, resultMessage=None).code == "PROCESS_FAIL"


def test_R68_a_message_without_an_entry_has_no_answer() -> None:
    assert results(entry("m3"), entry("m1")) == [DELIVERED, MISSING, DELIVERED]
    assert results() == [MISSING] * 3
    assert answers_to({"result": SUCCESS}) == [MISSING] * 3
    assert answers_to({"result": SUCCESS, "messageSendResults": None}) == [MISSING] * 3


def test_R68_entries_are_found_by_their_id_in_any_order_and_others_are_ignored() -> None:
    answers = results(
        entry("m3", success=False), entry("not-ours"), entry("m2"), entry("m1", success=False, retry=True)
    )

    assert [answer.kind for answer in answers] == [AnswerKind.RETRYABLE, AnswerKind.DELIVERED, AnswerKind.REFUSED]


@pytest.mark.parametrize("broken", [None, 1, "m1", ["m1"], {}, {"messageId": ["m1"]}, {"success": False}], ids=str)
def test_R69_an_unreadable_entry_takes_no_other_with_it(broken: object) -> None:
    assert results(broken, entry("m2"), entry("m3")) == [MISSING, DELIVERED, DELIVERED]


@pytest.mark.parametrize("entries", [5, "m1", {"m1": {"success": True}}, True], ids=str)
def test_R68_results_that_are_no_array_answer_nothing(entries: object) -> None:
    assert answers_to({"result": SUCCESS, "messageSendResults": entries}) == [MISSING] * 3


def test_R68_a_result_that_is_unknown_as_a_whole_is_no_answer() -> None:
    assert whole("U", "UNKNOWN_EXCEPTION") == Answer(
        AnswerKind.UNANSWERED,
        "",
        "the gateway answered U UNKNOWN_EXCEPTION",
    )


@pytest.mark.parametrize("status", ["A", "R", "s", "success", ""])
def test_R68_a_status_that_is_none_of_the_three_is_no_answer(status: str) -> None:
    assert whole(status).kind is AnswerKind.UNANSWERED


def test_R68_a_result_F_of_the_whole_call_is_a_fault_of_some_message() -> None:
    assert whole("F", "PARAM_ILLEGAL", "bad content") == Answer(AnswerKind.REJECTED, "PARAM_ILLEGAL", "bad content")
    assert whole("F", None, None) == Answer(AnswerKind.REJECTED, "PROCESS_FAIL", "")


def test_R68_a_rejected_call_is_rejected_whatever_its_entries_say() -> None:
    content = {"result": SUCCESS | {"resultStatus": "F", "resultCode": "X"}, "messageSendResults": 7}

    assert only(answers_to(content)).kind is AnswerKind.REJECTED


@pytest.mark.parametrize(
    "code",
    [
        "INVALID_SIGNATURE",
        "INVALID_CLIENT",
        "INVALID_CLIENT_STATUS",
        "ACCESS_DENIED",
        "KEY_NOT_FOUND",
        "INVALID_API",
        "METHOD_NOT_SUPPORTED",
        "MEDIA_TYPE_NOT_ACCEPTABLE",
    ],
)
def test_R68_a_gateway_that_refuses_us_as_a_caller_blames_no_message_and_is_left_alone(code: str) -> None:
    assert whole("F", code, "no") == Answer(AnswerKind.UNREACHABLE, code, "no", OUR_FAULT_PAUSE)


def test_R69_a_rate_limit_as_a_result_is_a_pause() -> None:
    expected = Answer(AnswerKind.THROTTLED, "REQUEST_TRAFFIC_EXCEED_LIMIT", "slow down", DEFAULT_PAUSE)

    assert whole("F", "REQUEST_TRAFFIC_EXCEED_LIMIT", "slow down") == expected


def test_R35_a_cap_on_one_users_messages_is_that_messages_fault() -> None:
    assert whole("F", "MESSAGE_SEND_EXCEED_LIMIT").kind is AnswerKind.REJECTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"<html></html>",
        b"null",
        b"[]",
        b"1",
        b'"result"',
        b"{}",
        b'{"result": null}',
        b'{"result": "S"}',
        b'{"result": ["resultStatus"]}',
        b'{"result": {}}',
        b'{"result": {"resultCode": "SUCCESS"}}',
        b'{"result": {"resultStatus": "S"}',
        b'\xff{"result": {"resultStatus": "S"}}',
    ],
)
def test_R68_garbage_is_no_answer(body: bytes) -> None:
    assert read_answers(MESSAGES, 200, None, body, NOON) == [UNREADABLE] * 3


@pytest.mark.parametrize("status", [429, 503])
def test_R69_429_and_503_ask_the_whole_gateway_to_wait(status: int) -> None:
    expected = Answer(AnswerKind.THROTTLED, f"HTTP_{status}", "the gateway asked to wait", 7_000)

    assert of_status(status, "7") == expected


def test_R69_a_retry_after_of_another_status_is_not_a_pause() -> None:
    assert of_status(500, "7").retry_after is None
    assert answers_to({"result": SUCCESS, "messageSendResults": []}, retry_after="7") == [MISSING] * 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_R69_a_call_rejected_by_http_is_some_messages_fault(status: int) -> None:
    assert of_status(status) == Answer(AnswerKind.REJECTED, f"HTTP_{status}", "the gateway rejected the call")


@pytest.mark.parametrize("status", [401, 403, 404, 405, 406, 415, 300, 301, 302, 307, 308, 399])
def test_R68_http_errors_that_are_our_fault_blame_no_message(status: int) -> None:
    assert of_status(status) == Answer(
        AnswerKind.UNREACHABLE,
        f"HTTP_{status}",
        "the gateway refuses our calls",
        OUR_FAULT_PAUSE,
    )


@pytest.mark.parametrize("status", [201, 202, 204, 206, 299, 402, 408, 409, 418, 500, 502, 504, 599])
def test_R68_any_other_http_status_says_nothing_of_what_was_delivered(status: int) -> None:
    assert of_status(status) == Answer(AnswerKind.UNANSWERED, f"HTTP_{status}", f"the gateway answered HTTP {status}")


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("1", 1_000),
        ("120", 120_000),
        ("0.25", 250),
        (" 3 ", 3_000),
        ("3600", 3_600_000),
        ("3601", LONGEST_PAUSE),
        ("99999999999999999999", LONGEST_PAUSE),
        ("0", DEFAULT_PAUSE),
        ("-5", DEFAULT_PAUSE),
    ],
)
def test_R69_retry_after_in_seconds(header: str, pause: int) -> None:
    assert pause_of(header, NOON) == pause


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("Tue, 14 Nov 2023 22:13:27 GMT", 7_000),
        ("Tue, 14 Nov 2023 22:13:27 -0000", 7_000),
        ("Tue, 14 Nov 2023 22:13:27", 7_000),
        ("Wed, 15 Nov 2023 06:13:27 +0800", 7_000),
        ("Tue, 14 Nov 2023 22:13:19 GMT", DEFAULT_PAUSE),
        ("Fri, 14 Nov 2031 22:13:20 GMT", LONGEST_PAUSE),
    ],
)
def test_R69_retry_after_as_a_date(header: str, pause: int) -> None:
    assert pause_of(header, NOON) == pause


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "soon",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "Mon, 99 Foo 2023 00:00:00 GMT",
        "Mon, 1 Jan 99999999999 00:00:00 GMT",
        "Mon, 1 Jan 2024 00:00:00 +99999999",
    ],
)
def test_R69_a_retry_after_that_is_absent_or_unreadable_is_a_short_pause(header: str | None) -> None:
    assert pause_of(header, NOON) == DEFAULT_PAUSE


DATES = st.from_regex(r"(Mon, )?[0-9]{1,4} (Jan|Dec) [0-9]{1,12} [0-9]{1,3}:[0-9]{1,30}:[0-9]{2} ?[+-]?[0-9A-Z]{0,12}")


@given(st.text() | st.floats().map(str) | DATES)
def test_R69_any_retry_after_is_a_pause_that_ends(header: str) -> None:
    assert 0 < pause_of(header, NOON) <= LONGEST_PAUSE


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.lists(
    st.fixed_dictionaries({"messageId": st.sampled_from(["m1", "m2"]), "success": st.booleans()})
    | st.dictionaries(st.sampled_from(["messageId", "success", "retry", "resultCode", "resultMessage"]), JSON_VALUES)
    | JSON_VALUES,
    max_size=4,
)
RESULTS = st.dictionaries(st.sampled_from(["resultStatus", "resultCode", "resultMessage"]), JSON_VALUES)
SOME_STATUS = st.sampled_from([100, 200, 200, 200, 204, 302, 400, 404, 429, 500, 503, 999])


ANSWERS = st.fixed_dictionaries(
    {},
    optional={"result": st.just(SUCCESS) | RESULTS | JSON_VALUES, "messageSendResults": ENTRIES},
)


@given(ANSWERS | JSON_VALUES, SOME_STATUS)
def test_R68_whatever_a_gateway_says_each_message_has_one_answer_that_a_record_can_hold(
    content: object,
    status: int,
) -> None:
    answers = answers_to(content, status)

    assert len(answers) == len(MESSAGES)
    assert all(len(answer.code) <= 64 and "|" not in answer.code for answer in answers)
    assert answers[2].kind is not AnswerKind.DELIVERED


def test_R68_a_gateways_code_and_text_are_bounded() -> None:
    answer = first_result(success=False, resultCode="A|B" + "x" * 100, resultMessage="收" * 300)

    assert answer.code == "A/B" + "x" * 61
    assert len(answer.message) == 256


def inquired(content: object, status: int = 200, retry_after: str | None = None) -> list[Answer | None]:
    return read_inquiry(MESSAGES, status, retry_after, orjson.dumps(content), NOON)


def test_an_inquiry_tells_what_was_delivered_what_failed_and_what_may_be_sent() -> None:
    entries = [
        entry("m1"),
        entry("m2", success=False, resultCode="USER_NOT_EXIST"),
        entry("m3", success=False, retry=True, resultCode="SYSTEM_BUSY"),
    ]

    answers = inquired({"result": SUCCESS, "messageSendResults": entries})

    assert answers == [DELIVERED, Answer(AnswerKind.REFUSED, "USER_NOT_EXIST"), None]


@pytest.mark.parametrize("entries", [[], None, "none", [entry("other")], [7]])
def test_what_an_inquiry_has_no_entry_for_may_be_sent(entries: object) -> None:
    assert inquired({"result": SUCCESS, "messageSendResults": entries}) == [None] * 3


def test_an_entry_that_says_nothing_leaves_its_message_unknown() -> None:
    first, *_ = inquired({"result": SUCCESS, "messageSendResults": [{"messageId": "m1"}]})

    assert first == MISSING


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        ({"result": {"resultCode": "PARAM_ILLEGAL", "resultStatus": "F"}}, 200, "PARAM_ILLEGAL"),
        ({"result": {"resultCode": "INVALID_API", "resultStatus": "F"}}, 200, "INVALID_API"),
        ({"result": {"resultCode": "X", "resultStatus": "U"}}, 200, ""),
        ("garbage", 200, ""),
        ({}, 400, "HTTP_400"),
        ({}, 404, "HTTP_404"),
        ({}, 405, "HTTP_405"),
        ({}, 500, "HTTP_500"),
        ({}, 302, "HTTP_302"),
    ],
)
def test_a_failed_inquiry_leaves_every_message_as_unknown_as_before(content: object, status: int, code: str) -> None:
    answers = inquired(content, status)

    assert answers[:1] * 3 == answers
    assert answers[0] is not None
    assert (answers[0].kind, answers[0].code, answers[0].retry_after) == (AnswerKind.UNANSWERED, code, None)
    assert answers[0].message.startswith("the inquiry failed: ")


@pytest.mark.parametrize(
    ("status", "kind", "pause"),
    [(429, AnswerKind.THROTTLED, 7_000), (503, AnswerKind.THROTTLED, 7_000), (401, AnswerKind.UNREACHABLE, 5_000)],
)
def test_R69_an_inquiry_may_be_asked_to_wait_or_refuse_us_as_a_send_may(
    status: int, kind: AnswerKind, pause: int
) -> None:
    first, *_ = inquired({}, status, "7")

    assert first is not None
    assert (first.kind, first.retry_after) == (kind, pause)
