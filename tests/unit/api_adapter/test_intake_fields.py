import orjson
import pytest

from tests.front_desk import FrontDesk, grant, payment_notice, user
from tests.samples import send_body, send_fields
from worker.contract.codes import SUCCESS, ResultCode, ResultStatus

EMOJI, CJK = "😀", "收"
KIB = 1024


def refused(body: bytes) -> str:
    """Return the message of a send that is refused for its parameters, having checked that nothing is kept of it."""
    desk = FrontDesk()
    (answer,) = desk.take([body])
    assert (answer.result.code, answer.result.status) == (ResultCode.PARAM_ILLEGAL, ResultStatus.F)
    assert (answer.message_id, answer.remarks) == (None, ())
    assert desk.ledger.records == {}
    assert desk.hints.published == []
    return answer.result.message


def takes(**replaced: object) -> bool:
    """Return whether a send whose ids may be anything is taken."""
    fields = send_fields(**replaced)
    desk = FrontDesk()
    desk.users.grants = {fields["accessToken"]: grant(app_id=fields["appId"])}
    desk.templates.versions[fields["templateCode"], 1] = payment_notice(code=fields["templateCode"])
    desk.wallets.wallets |= {"W" * 64: desk.wallets.wallets["GCASH"]}
    (answer,) = desk.take([orjson.dumps(fields)])
    return answer.result == SUCCESS


IDS = [
    pytest.param("appId", 32, id="R1"),
    pytest.param("accessToken", 128, id="R2"),
    pytest.param("requestId", 64, id="R3"),
    pytest.param("templateCode", 64, id="R4"),
]
TEXTS = [
    pytest.param("redirectUrl", 2048, id="R5"),
    pytest.param("actionUrl", 2048, id="R6"),
    pytest.param("extendInfo", 4096, id="R10"),
]


@pytest.mark.parametrize("character", ["a", EMOJI, CJK], ids=ascii)
@pytest.mark.parametrize(("field", "most"), [*IDS, *TEXTS])
def test_R14_a_send_with_a_field_at_its_limit_is_taken_and_one_beyond_is_refused(
    field: str,
    most: int,
    character: str,
) -> None:
    assert takes(**{field: character * (most - 1)})
    assert takes(**{field: character * most})
    message = refused(send_body(**{field: character * (most + 1)}))
    assert message == f"$.{field}: must have at most {most} characters"


@pytest.mark.parametrize(("field", "_most"), IDS)
def test_R1_to_R4_an_id_is_required_and_not_empty(field: str, _most: int) -> None:
    fields = send_fields()
    del fields[field]

    assert refused(orjson.dumps(fields)) == f"$.{field}: is required"
    assert refused(send_body(**{field: ""})) == f"$.{field}: must have at least 1 character"


@pytest.mark.parametrize("mark", ["@", "#", "?", " ", "\t", "\n", "\u3000", "\x00", "\x7f", "\x85"], ids=ascii)
@pytest.mark.parametrize(("field", "_most"), IDS)
def test_R12_ids_hold_no_marks_white_space_or_control_characters(field: str, _most: int, mark: str) -> None:
    message = refused(send_body(**{field: f"a{mark}b"}))

    assert message == f"$.{field}: must not contain @, #, ?, white space or control characters"


def test_R3_the_pages_own_sample_lacks_the_request_id_and_is_told_so() -> None:
    fields = send_fields(actionUrl="/action")
    del fields["requestId"]

    assert refused(orjson.dumps(fields)) == "$.requestId: is required"


def test_R7_a_send_has_one_to_five_entries() -> None:
    tags = ["en-US", "ja", "de", "fr", "it", "es"]
    entries = [{"language": tag, "templateParameters": {"who": EMOJI, "amount": CJK}} for tag in tags]

    assert takes(templates=entries[:1])
    assert takes(templates=entries[:5])
    assert refused(send_body(templates=[])) == "$.templates: must have at least 1 entry"
    assert refused(send_body(templates=entries)) == "$.templates: must have at most 5 entries"


def test_R7_a_language_twice_names_both_entries() -> None:
    entries = [{"language": tag, "templateParameters": {"who": "X"}} for tag in ("en-US", "ja", "EN_us")]

    assert "templates[0] and templates[2] have the same language" in refused(send_body(templates=entries))


@pytest.mark.parametrize("tag", ["en_US", "EN", "en-us", "zh-Hant-HK", None])
def test_R8_a_language_is_taken_in_any_case(tag: str | None) -> None:
    assert takes(templates=[{"language": tag, "templateParameters": {"who": "X"}}])


@pytest.mark.parametrize("tag", ["", " ", "english!", "e", "en--US", CJK, EMOJI * 64, "\x00"], ids=ascii)
def test_R8_a_malformed_language_names_its_entry(tag: str) -> None:
    message = refused(send_body(templates=[{"language": tag, "templateParameters": {"who": "X"}}]))

    assert message == "$.templates[0].language: is not a BCP 47 language tag"


def test_R9_parameters_are_a_map_of_texts() -> None:
    assert takes(templates=[{"templateParameters": {"who": EMOJI * 500, CJK: "", "": CJK}}])
    assert refused(send_body(templates=[{"templateParameters": {"who": 12}}])) == (
        "$.templates[0].templateParameters.who: must be a string"
    )
    assert refused(send_body(templates=[{"templateParameters": ["who"]}])) == (
        "$.templates[0].templateParameters: must be an object"
    )


def test_R9_a_parameter_that_is_lacking_is_named_with_its_entry() -> None:
    for given in ({}, {"templateParameters": None}, {"templateParameters": {"Who": "X"}}):
        message = refused(send_body(templates=[given]))

        assert message == "$.templates[0].templateParameters.who: is required by the template"


def test_R10_extend_info_is_handed_on_unread() -> None:
    desk = FrontDesk()
    text = '{"a": 1, not even JSON ' + EMOJI

    assert desk.send(extendInfo=text).result == SUCCESS
    assert desk.send(requestId="none", extendInfo=None).result == SUCCESS
    assert [one.extend_info for one in desk.taken()] == [text, None]


def test_R11_the_super_app_is_optional_and_the_users_own() -> None:
    desk = FrontDesk()
    desk.users.grants["kakao"] = grant(user(wallet="KAKAOPAY"))

    assert desk.send(customerBelongsTo="GCASH").result == SUCCESS
    assert desk.send(requestId="none", customerBelongsTo=None).result == SUCCESS
    assert desk.code(requestId="other", customerBelongsTo="KAKAOPAY") is ResultCode.PARAM_ILLEGAL
    assert desk.code(requestId="none there", customerBelongsTo="") is ResultCode.PARAM_ILLEGAL
    assert refused(send_body(customerBelongsTo=CJK * 65)) == "$.customerBelongsTo: must have at most 64 characters"


def test_R13_fields_that_nobody_knows_are_ignored() -> None:
    assert takes(
        unknown={"deep": [1, EMOJI]}, accesstoken="X", templates=[{"templateParameters": {"who": "X"}, "x": 1}]
    )


NOT_JSON = {
    "nothing": b"",
    "text": b"appId=1",
    "not UTF-8": send_body().replace(b"XiaoMing", b"\xff\xfe"),
    "UTF-16": send_body().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + send_body(),
    "cut": send_body()[:-1],
    "two": send_body() * 2,
    "lone surrogate": send_body().replace(b"XiaoMing", b"\\ud83d"),
    "lone surrogate in a name": send_body().replace(b'"who"', b'"\\ude00"'),
    "deep": send_body()[:-1] + b',"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "endless number": send_body()[:-1] + b',"x":' + b"9" * 60_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_R15_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    assert refused(body) == "$: the body is not valid JSON"


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"true"], ids=ascii)
def test_R15_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body) == "$: must be an object"


def test_R15_of_a_name_that_is_there_twice_the_last_counts() -> None:
    desk = FrontDesk()
    body = b'{"requestId":"first","appId":"first",' + send_body()[1:]

    (answer,) = desk.take([body])

    assert (answer.result, answer.request_id) == (SUCCESS, "10017019")
    assert desk.take([send_body()]) == [answer]


def test_R15_a_send_of_64_kib_is_taken_and_one_byte_more_is_refused() -> None:
    body = send_body(templates=[{"templateParameters": {"who": EMOJI * 100}}])
    whole = body[:-1] + b" " * (64 * KIB - len(body)) + b"}"

    (answer,) = FrontDesk().take([whole])

    assert len(whole) == 64 * KIB
    assert answer.result == SUCCESS
    assert refused(whole + b" ") == "$: is larger than 65536 bytes"


def test_R32_all_faults_are_told_together() -> None:
    body = send_body(appId="", templates=[{"language": "?"}, {"templateParameters": {"who": 1}}], extendInfo={})

    assert refused(body).split("; ") == [
        "$.appId: must have at least 1 character",
        "$.templates[0].language: is not a BCP 47 language tag",
        "$.templates[1].templateParameters.who: must be a string",
        "$.extendInfo: must be a string",
    ]


def test_R32_a_message_about_hundreds_of_faults_still_fits() -> None:
    parameters = {f"p{number}": number for number in range(3000)}

    message = refused(send_body(templates=[{"templateParameters": parameters}]))

    assert len(message) == 256
    assert message.endswith("…")
