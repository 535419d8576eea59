"""The rules of R66 and R67, under, at and over each limit; lengths count characters (R14)."""

from typing import Any

import orjson
import pytest

from tests.unit.worker.adapters.gateways.simulator.conftest import MessageFields
from worker.adapters.gateways.simulator.calls import MAX_BODY, parse_call, shown
from worker.contract.errors import ContractViolationError
from worker.contract.messages import Channel

PUSH = '{"title":"","content":"%s"}'
INBOX = '{"header":{"appIcon":"","appName":"Shop","target":{"path":"/"}},"body":{"title":"t","content":"c"}}'


def faults(*messages: dict[str, Any]) -> list[str]:
    """Return what is wrong with a call."""
    with pytest.raises(ContractViolationError) as refused:
        parse_call(orjson.dumps({"messages": messages}))
    return refused.value.faults


@pytest.mark.parametrize("number", [1, 20])
def test_R65_a_call_holds_1_to_20_messages(fields: MessageFields, number: int) -> None:
    assert len(parse_call(orjson.dumps({"messages": [fields()] * number}))) == number


def test_R65_no_message_is_refused() -> None:
    assert faults() == ["$.messages: must have at least 1 entry"]


def test_R65_21_messages_are_refused(fields: MessageFields) -> None:
    assert faults(*[fields()] * 21) == ["$.messages: must have at most 20 entries"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"message":[]}', b'{"messages":{}}', b"\xff"])
def test_R65_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(ContractViolationError):
        parse_call(body)


@pytest.mark.parametrize(("field", "limit"), [("messageId", 64), ("customerId", 32), ("templateCode", 64)])
@pytest.mark.parametrize("letter", ["a", "收", "😀"])
def test_R66_ids_have_up_to_their_limit_of_characters(
    fields: MessageFields, field: str, limit: int, letter: str
) -> None:
    for length in (1, limit):
        assert parse_call(orjson.dumps({"messages": [fields(**{field: letter * length})]}))
    assert faults(fields(**{field: letter * (limit + 1)})) == [
        f"$.messages[0].{field}: must have at most {limit} characters",
    ]


@pytest.mark.parametrize("field", ["messageId", "customerId", "templateCode"])
@pytest.mark.parametrize("bad", ["", "a@b", "a#b", "a?b", "a b", "a\tb", "a\u3000b", "a\x00b", 5, None])
def test_R66_ids_are_plain_texts(fields: MessageFields, field: str, bad: object) -> None:
    [fault] = faults(fields(**{field: bad}))

    assert fault.startswith(f"$.messages[0].{field}: must ")


@pytest.mark.parametrize("channel", ["SMS", "push", "", None, 1])
def test_R66_another_channel_is_refused(fields: MessageFields, channel: object) -> None:
    [fault] = faults(fields(messageChannel=channel))

    assert fault.startswith("$.messages[0].messageChannel: ")


@pytest.mark.parametrize("letter", ["a", "收", "😀"])
def test_R66_content_has_at_most_4096_characters(fields: MessageFields, letter: str) -> None:
    room = 4096 - len(PUSH % "")
    assert parse_call(orjson.dumps({"messages": [fields(messageContent=PUSH % (letter * room))]}))
    assert faults(fields(messageContent=PUSH % (letter * (room + 1)))) == [
        "$.messages[0].messageContent: must have at most 4096 characters",
    ]


@pytest.mark.parametrize(
    "content",
    ["", "plain", "[]", '"text"', "{}", '{"title":"t"}', '{"title":1,"content":"c"}', INBOX, '{"title":"t","content":'],
)
def test_R67_push_content_is_json_with_title_and_content(fields: MessageFields, content: str) -> None:
    rule = "must be JSON text: an object with the strings title and content, perhaps linkUrl"

    assert faults(fields(messageContent=content)) == [f"$.messages[0].messageContent: {rule}"]


@pytest.mark.parametrize("content", [PUSH % "c", '{"body":{"title":"t"}}', '{"header":"h","body":{}}', "{}", "x"])
def test_R67_inbox_content_is_json_with_a_body(fields: MessageFields, content: str) -> None:
    [fault] = faults(fields(messageChannel="INBOX", messageContent=content))

    assert fault.startswith("$.messages[0].messageContent: must be JSON text: an object with body")


def test_R67_what_the_user_sees_is_taken_from_the_part_of_the_channel() -> None:
    assert (shown(Channel.PUSH, PUSH % "c"), shown(Channel.INBOX, INBOX)) == (
        {"title": "", "content": "c"},
        {"title": "t", "content": "c"},
    )


def test_R66_content_must_be_a_text_and_no_object(fields: MessageFields) -> None:
    assert faults(fields(messageContent={"title": "t", "content": "c"})) == [
        "$.messages[0].messageContent: must be a string",
    ]


def test_R66_redirect_url_has_at_most_2048_characters(fields: MessageFields) -> None:
    assert parse_call(orjson.dumps({"messages": [fields(redirectUrl="収" * 2048)]}))
    assert faults(fields(redirectUrl="収" * 2049)) == [
        "$.messages[0].redirectUrl: must have at most 2048 characters",
    ]


@pytest.mark.parametrize("extend_info", [None, {}, {"platformTemplateCode": "X"}, "", "x" * 4096])
def test_R66_extend_info_may_be_an_object_or_a_text(fields: MessageFields, extend_info: object) -> None:
    [message] = parse_call(orjson.dumps({"messages": [fields(extendInfo=extend_info)]}))

    assert message["extendInfo"] == extend_info


@pytest.mark.parametrize("extend_info", [[], 1, "x" * 4097])
def test_R66_other_extend_info_is_refused(fields: MessageFields, extend_info: object) -> None:
    assert faults(fields(extendInfo=extend_info))


@pytest.mark.parametrize("field", ["messageId", "customerId", "messageChannel", "templateCode", "messageContent"])
def test_R66_a_field_that_is_missing_is_named(fields: MessageFields, field: str) -> None:
    faulty = fields()
    del faulty[field]

    assert faults(fields(), faulty) == [f"$.messages[1].{field}: is required"]


def test_R66_links_and_extend_info_may_be_absent(fields: MessageFields) -> None:
    lean = fields()
    del lean["redirectUrl"], lean["extendInfo"]
    [message] = parse_call(orjson.dumps({"messages": [lean]}))

    assert (message["redirectUrl"], message["extendInfo"]) == (None, None)


def test_R66_every_fault_of_a_call_is_named(fields: MessageFields) -> None:
    faulty = fields(messageContent="plain", templateCode="")

    assert [fault.partition(":")[0] for fault in faults(faulty, fields(), fields(customerId="a b"))] == [
        "$.messages[0].templateCode",
        "$.messages[0].messageContent",
        "$.messages[2].customerId",
    ]


def test_faults_name_rules_and_never_values(fields: MessageFields) -> None:
    assert "secret" not in str(faults(fields(customerId="secret @", messageContent='{"secret":1}', redirectUrl=7)))


def test_R15_the_largest_valid_call_is_no_larger_than_the_bodys_limit(fields: MessageFields) -> None:
    content = PUSH % ("😀" * (4096 - len(PUSH % "")))
    largest = fields(
        messageId="😀" * 64,
        customerId="😀" * 32,
        templateCode="😀" * 64,
        messageContent=content,
        redirectUrl="😀" * 2048,
        extendInfo="😀" * 4096,
    )
    body = orjson.dumps({"messages": [largest] * 20})

    assert (len(parse_call(body)), len(body) <= MAX_BODY) == (20, True)
