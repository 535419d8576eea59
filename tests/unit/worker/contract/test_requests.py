import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import send_body, send_fields
from worker.contract.errors import ContractViolationError
from worker.contract.faults import json_path
from worker.contract.links import link_of
from worker.contract.parsing import parse
from worker.contract.requests import BatchInquiry, Inquiry
from worker.contract.send_fields import SendRequest as SendFields
from worker.contract.send_request import LenientSendRequest, SendRequest

WRITINGS = {"ascii": "a", "CJK": "收", "emoji": "😀", "combining": "é", "Arabic": "ع"}
SECRET = "s3cr3t-value"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def faults(body: bytes, model: type[SendRequest | Inquiry | BatchInquiry] = SendRequest) -> list[str]:
    """Return what is wrong with a body, having checked that it is refused."""
    with pytest.raises(ContractViolationError) as refused:
        parse(model, body)
    assert str(refused.value) == "; ".join(refused.value.faults)
    return refused.value.faults


def taken_or_refused(model: type[SendRequest], body: bytes) -> SendRequest | list[str]:
    try:
        return parse(model, body)
    except ContractViolationError as refused:
        return refused.faults


def faults_of(**replaced: object) -> list[str]:
    return faults(send_body(**replaced))


def value_of(request: SendRequest, field: str) -> object:
    """Return the value of a field by the API's name of it."""
    return getattr(request, re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", field))


def sent(**replaced: object) -> SendRequest:
    return parse(SendRequest, send_body(**replaced))


def without(*fields: str) -> bytes:
    return orjson.dumps({name: value for name, value in send_fields().items() if name not in fields})


def one_entry(**fields: object) -> list[dict[str, object]]:
    return [fields]


def many_entries(number: int) -> list[dict[str, object]]:
    return [{"language": f"en-{region}"} for region in ("US", "GB", "CA", "AU", "NZ", "IE")[:number]]


REQUIRED = [
    pytest.param("appId", id="R1"),
    pytest.param("accessToken", id="R2"),
    pytest.param("requestId", id="R3"),
    pytest.param("templateCode", id="R4"),
    pytest.param("templates", id="R7"),
]
LIMITS = [
    pytest.param("appId", 32, id="R1"),
    pytest.param("accessToken", 128, id="R2"),
    pytest.param("requestId", 64, id="R3"),
    pytest.param("templateCode", 64, id="R4"),
    pytest.param("redirectUrl", 2048, id="R5"),
    pytest.param("actionUrl", 2048, id="R6"),
    pytest.param("extendInfo", 4096, id="R10"),
    pytest.param("customerBelongsTo", 64, id="R11"),
]
NAMES = [
    pytest.param("appId", id="appId"),
    pytest.param("accessToken", id="accessToken"),
    pytest.param("requestId", id="requestId"),
    pytest.param("templateCode", id="templateCode"),
]


@pytest.mark.parametrize("field", REQUIRED)
def test_R1_R2_R3_R4_R7_a_required_field_is_missed_by_its_name(field: str) -> None:
    assert faults(without(field)) == [f"$.{field}: is required"]


@pytest.mark.parametrize("field", REQUIRED)
def test_R1_R2_R3_R4_R7_null_is_no_value_for_a_required_field(field: str) -> None:
    kind = "an array" if field == "templates" else "a string"

    assert faults_of(**{field: None}) == [f"$.{field}: must be {kind}"]


@pytest.mark.parametrize("field", ["appId", "accessToken", "requestId", "templateCode", "customerBelongsTo"])
def test_R1_R2_R3_R4_R11_an_empty_text_is_no_value(field: str) -> None:
    assert faults_of(**{field: ""}) == [f"$.{field}: must have at least 1 character"]


@pytest.mark.parametrize("field", ["redirectUrl", "actionUrl", "extendInfo", "customerBelongsTo"])
def test_R5_R6_R10_R11_optional_fields_may_be_absent_or_null(field: str) -> None:
    assert value_of(parse(SendRequest, without(field)), field) is None
    assert value_of(sent(**{field: None}), field) is None


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize(("field", "most"), LIMITS)
def test_R14_limits_of_every_field_are_counted_in_characters(field: str, most: int, writing: str) -> None:
    text = WRITINGS[writing] * most

    assert value_of(sent(**{field: text[: most - 1]}), field) == text[: most - 1]
    assert value_of(sent(**{field: text[:most]}), field) == text[:most]
    assert faults_of(**{field: text[:most] + "a"}) == [f"$.{field}: must have at most {most} characters"]


@pytest.mark.parametrize("value", [123, 1.5, True, ["x"], {"x": 1}], ids=str)
@pytest.mark.parametrize(("field", "_most"), LIMITS)
def test_R1_to_R11_a_text_field_takes_nothing_but_text(field: str, _most: int, value: object) -> None:
    assert faults_of(**{field: value}) == [f"$.{field}: must be a string"]


def test_R2_the_token_is_in_no_representation_of_a_request() -> None:
    request = sent(accessToken=SECRET)

    assert request.access_token == SECRET
    assert SECRET not in repr(request)
    assert SECRET not in str(request)


@pytest.mark.parametrize("url", ["pages/1", "/pages/1", "https://shop.test/?a=1#b", "", "alipays://x", "/ページ/😀"])
def test_R5_a_link_may_begin_with_anything(url: str) -> None:
    assert link_of(sent(redirectUrl=url)) == url


def test_R6_action_url_stands_in_for_a_redirect_url_that_is_absent() -> None:
    assert link_of(sent(redirectUrl=None, actionUrl="/action")) == "/action"
    assert link_of(sent(redirectUrl="/redirect", actionUrl="/action")) == "/redirect"
    assert link_of(sent(redirectUrl="", actionUrl="/action")) == ""
    assert link_of(sent(redirectUrl=None)) is None


@pytest.mark.parametrize("number", [1, 4, 5])
def test_R7_one_to_five_templates_are_taken(number: int) -> None:
    assert len(sent(templates=many_entries(number)).templates) == number


def test_R7_no_template_and_six_are_refused() -> None:
    assert faults_of(templates=[]) == ["$.templates: must have at least 1 entry"]
    assert faults_of(templates=many_entries(6)) == ["$.templates: must have at most 5 entries"]


@pytest.mark.parametrize("twin", ["ja-JP", "ja_jp", "JA-jp"])
def test_R7_a_language_twice_names_both_indexes(twin: str) -> None:
    entries = [{"language": "en"}, {"language": "ja-JP"}, {"language": "fr"}, {"language": twin}]

    assert faults_of(templates=entries) == ["$: templates[1] and templates[3] have the same language"]


def test_R7_two_entries_without_a_language_have_the_same_one() -> None:
    entries = [{"templateParameters": {}}, {"language": None}]

    assert faults_of(templates=entries) == ["$: templates[0] and templates[1] have the same language"]


@pytest.mark.parametrize("value", [{}, "en", 1])
def test_R7_templates_that_are_no_array_are_refused(value: object) -> None:
    assert faults_of(templates=value) == ["$.templates: must be an array"]


@pytest.mark.parametrize("value", [None, "en", 1, ["en"]])
def test_R7_an_entry_that_is_no_object_is_refused_by_its_index(value: object) -> None:
    assert faults_of(templates=[{"language": "en"}, value]) == ["$.templates[1]: must be an object"]


@pytest.mark.parametrize(
    ("sent_as", "standard"),
    [
        ("en-US", "en-US"),
        ("en_US", "en-US"),
        ("EN", "en"),
        ("zh_hant_hk", "zh-Hant-HK"),
        ("ZH-cmn", "zh"),
        ("sr-latn-rs", "sr-Latn-RS"),
        ("es-419", "es-419"),
    ],
)
def test_R8_a_language_tag_is_taken_in_any_spelling(sent_as: str, standard: str) -> None:
    assert sent(templates=one_entry(language=sent_as)).templates[0].language == standard


def test_R8_a_language_may_be_absent() -> None:
    assert sent(templates=[{}]).templates[0].language is None


@pytest.mark.parametrize("tag", ["", " ", "english", "en--US", "e", "en-", "日本語", "😀", "en\n", "en US", "a" * 64])
def test_R8_a_malformed_language_is_refused_by_its_index_and_not_repeated(tag: str) -> None:
    assert faults_of(templates=one_entry(language=tag)) == ["$.templates[0].language: is not a BCP 47 language tag"]


def test_R8_a_language_has_at_most_64_characters() -> None:
    assert faults_of(templates=one_entry(language="a" * 65)) == [
        "$.templates[0].language: must have at most 64 characters",
    ]


@given(TEXTS | st.from_regex(r"[a-zA-Z0-9]{1,8}([-_][a-zA-Z0-9]{1,8}){0,4}", fullmatch=True))
def test_R8_any_text_is_a_language_tag_or_refused_as_one(tag: str) -> None:
    found = taken_or_refused(SendRequest, send_body(templates=one_entry(language=tag)))

    if isinstance(found, SendRequest):
        assert (found.templates[0].language or "").replace("-", "").isalnum()
    else:
        assert found == ["$.templates[0].language: is not a BCP 47 language tag"]


@pytest.mark.parametrize("absent", [{}, {"templateParameters": None}, {"templateParameters": {}}])
def test_R9_no_parameters_are_an_empty_map(absent: dict[str, object]) -> None:
    assert sent(templates=[absent]).templates[0].parameters == {}


@pytest.mark.parametrize("value", [1, None, True, ["x"], {"x": "y"}], ids=str)
def test_R9_a_parameter_that_is_no_text_is_refused_by_its_name(value: object) -> None:
    entries = one_entry(templateParameters={"who": "XiaoMing", "amount": value})

    assert faults_of(templates=entries) == ["$.templates[0].templateParameters.amount: must be a string"]


@pytest.mark.parametrize("value", [[], "who", 1])
def test_R9_parameters_that_are_no_object_are_refused(value: object) -> None:
    assert faults_of(templates=one_entry(templateParameters=value)) == [
        "$.templates[0].templateParameters: must be an object",
    ]


def test_R9_parameters_hold_any_text() -> None:
    parameters = {"who": "小明 😀", "": "", "a b": "${who}", "nul": "\0"}

    assert sent(templates=one_entry(templateParameters=parameters)).templates[0].parameters == parameters


def test_R10_extend_info_is_kept_unread() -> None:
    assert sent(extendInfo='{"b": 1,  "a": }').extend_info == '{"b": 1,  "a": }'


def test_R10_an_object_as_extend_info_is_refused_unless_allowed() -> None:
    body = send_body(extendInfo={"b": 1, "a": {"c": "收 😀"}})

    assert faults(body) == ["$.extendInfo: must be a string"]
    assert parse(LenientSendRequest, body).extend_info == '{"a":{"c":"收 😀"},"b":1}'


def test_R10_where_objects_are_allowed_texts_and_null_are_too() -> None:
    assert parse(LenientSendRequest, send_body(extendInfo="text")).extend_info == "text"
    assert parse(LenientSendRequest, send_body(extendInfo=None)).extend_info is None
    assert parse(LenientSendRequest, send_body()).extend_info is None


@pytest.mark.parametrize("value", [1, True, ["x"]], ids=str)
def test_R10_where_objects_are_allowed_nothing_else_is(value: object) -> None:
    assert faults(send_body(extendInfo=value), LenientSendRequest) == ["$.extendInfo: must be a string"]


def test_R10_an_object_counts_by_the_characters_of_its_text() -> None:
    most = 4096 - len('{"a":""}')

    assert len(parse(LenientSendRequest, send_body(extendInfo={"a": "😀" * most})).extend_info or "") == 4096
    assert faults(send_body(extendInfo={"a": "😀" * (most + 1)}), LenientSendRequest) == [
        "$.extendInfo: must have at most 4096 characters",
    ]


def test_R10_numbers_of_any_size_are_kept_in_an_object() -> None:
    body = json.dumps(send_fields(extendInfo={"big": 2**70, "half": 0.5})).encode()

    assert parse(LenientSendRequest, body).extend_info == '{"big":1180591620717411303424,"half":0.5}'


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_R10_what_is_no_json_is_refused_in_an_object(number: str) -> None:
    body = json.dumps(send_fields(extendInfo={"a": float(number)})).encode()

    assert faults(body, LenientSendRequest) == ["$.extendInfo: must hold nothing but JSON"]


@pytest.mark.parametrize("wallet", ["ALIPAY_HK", "TNG", "GCASH", "DANA", "KAKAOPAY", "BKASH", "TRUEMONEY", "NEW ONE"])
def test_R11_customer_belongs_to_names_any_super_app(wallet: str) -> None:
    assert sent(customerBelongsTo=wallet).customer_belongs_to == wallet


@pytest.mark.parametrize(
    "character",
    ["@", "#", "?", " ", "\t", "\n", "\r", "\0", "\x1f", "\x7f", "\x85", "\u00a0", "\u2028", "\u3000"],
    ids=ascii,
)
@pytest.mark.parametrize("field", NAMES)
@pytest.mark.parametrize("place", ["{}ab", "a{}b", "ab{}"], ids=["first", "middle", "last"])
def test_R12_ids_hold_no_reserved_white_or_control_character(field: str, character: str, place: str) -> None:
    assert faults_of(**{field: place.format(character)}) == [
        f"$.{field}: must not contain @, #, ?, white space or control characters",
    ]


@pytest.mark.parametrize("field", NAMES)
@pytest.mark.parametrize("text", ["a-b_c.d:e/f+g=h", "收款", "😀", "%23", "null"])
def test_R12_ids_may_hold_everything_else(field: str, text: str) -> None:
    assert value_of(sent(**{field: text}), field) == text


def test_R13_unknown_fields_are_ignored_at_every_depth() -> None:
    entries = one_entry(language="en", templateParameters={"who": "X"}, future={"a": 1})

    assert sent(templates=entries, env={"os": "iOS"}, bizType="X") == sent(
        templates=one_entry(language="en", templateParameters={"who": "X"}),
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"garbage", b"{'a': 1}", b'{"appId": }', b'\xff\xfe{"appId": "1"}', b"{}{}"]
)
def test_R15_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    assert faults(body) == ["$: the body is not valid JSON"]


def test_R15_a_body_that_is_not_utf_8_is_refused() -> None:
    assert faults(send_body(appId="Zürich").decode().encode("latin-1")) == ["$: the body is not valid JSON"]


def test_R15_half_a_surrogate_pair_is_refused() -> None:
    assert faults(send_body(appId="app").replace(b'"app"', rb'"\ud83d"')) == ["$: the body is not valid JSON"]


@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null"])
def test_R15_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert faults(body) == ["$: must be an object"]


def test_R15_a_body_nested_without_end_is_refused() -> None:
    assert faults(b'{"a":' * 100_000) == ["$: the body is not valid JSON"]


def test_R32_every_fault_of_a_body_is_named_in_one_answer() -> None:
    body = orjson.dumps(
        {
            "appId": "a" * 33,
            "accessToken": "x y",
            "templateCode": 7,
            "templates": [{"language": "en"}, {"language": "???"}, {"templateParameters": {"who": None}}],
        },
    )

    assert faults(body) == [
        "$.appId: must have at most 32 characters",
        "$.accessToken: must not contain @, #, ?, white space or control characters",
        "$.requestId: is required",
        "$.templateCode: must be a string",
        "$.templates[1].language: is not a BCP 47 language tag",
        "$.templates[2].templateParameters.who: must be a string",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"appId": SECRET * 3},
        {"accessToken": f"{SECRET} {SECRET}"},
        {"requestId": f"#{SECRET}"},
        {"templateCode": {SECRET: SECRET}},
        {"redirectUrl": SECRET * 200},
        {"extendInfo": {"user": SECRET}},
        {"customerBelongsTo": SECRET * 6},
        {"templates": [{"language": SECRET}]},
        {"templates": [{"templateParameters": {"who": [SECRET]}}]},
        {"templates": SECRET},
    ],
    ids=str,
)
def test_R32_a_fault_never_repeats_the_value(wrong: dict[str, object]) -> None:
    assert SECRET not in "; ".join(faults_of(**wrong))


def test_R32_an_unreadable_body_is_not_repeated() -> None:
    assert SECRET not in "; ".join(faults(f'{{"accessToken": "{SECRET}" "x"}}'.encode()))


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ((), "$"),
        (("appId",), "$.appId"),
        (("templates", 0, "language"), "$.templates[0].language"),
        (("templates", 4, "templateParameters", "push-title.x_1"), "$.templates[4].templateParameters.push-title.x_1"),
        (("templates", 0, "templateParameters", "a b"), "$.templates[0].templateParameters[*]"),
        (("templates", 0, "templateParameters", ""), "$.templates[0].templateParameters[*]"),
        (("templates", 0, "templateParameters", "名前"), "$.templates[0].templateParameters[*]"),
        (("templates", 0, "templateParameters", "a" * 64), f"$.templates[0].templateParameters.{'a' * 64}"),
        (("templates", 0, "templateParameters", "a" * 65), "$.templates[0].templateParameters[*]"),
    ],
)
def test_R32_a_json_path_holds_plain_names_only(location: tuple[int | str, ...], path: str) -> None:
    assert json_path(location) == path


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*SendFields.__annotations__, "unknown"])
FAULT = re.compile(r"\$(\.[A-Za-z_][\w.-]*|\[\d+\]|\[\*\])*: .+")


@pytest.mark.parametrize("model", [SendRequest, LenientSendRequest], ids=lambda model: model.__name__)
@given(replaced=st.dictionaries(FIELDS, JSON_VALUES, max_size=3))
def test_R32_any_json_is_taken_or_refused_with_paths(model: type[SendRequest], replaced: dict[str, object]) -> None:
    body = json.dumps(send_fields(**replaced)).encode("utf-8", "surrogatepass")

    found = taken_or_refused(model, body)

    if isinstance(found, SendRequest):
        assert found.templates
    else:
        assert found
        assert all(FAULT.fullmatch(fault) for fault in found)


@given(st.binary(max_size=200))
def test_R15_any_bytes_are_taken_or_refused(body: bytes) -> None:
    assert all(FAULT.fullmatch(fault) for fault in faults(body))


def test_R70_an_inquiry_names_a_message_by_its_id_or_by_app_and_request() -> None:
    assert parse(Inquiry, b'{"messageId": "0a"}').messageId == "0a"
    assert parse(Inquiry, b'{"appId": "a", "requestId": "1"}').requestId == "1"


@pytest.mark.parametrize("body", [b"{}", b'{"appId": "a"}', b'{"requestId": "1"}', b'{"messageId": null}'])
def test_R70_an_inquiry_that_names_no_message_is_refused(body: bytes) -> None:
    assert faults(body, Inquiry) == ["$: appId with requestId, or messageId, is required"]


@pytest.mark.parametrize("number", [1, 10_000])
def test_R72_a_batch_inquiry_asks_for_up_to_10000_messages(number: int) -> None:
    body = orjson.dumps({"appId": "a", "requestIds": [str(index) for index in range(number)]})

    assert len(parse(BatchInquiry, body).requestIds) == number


def test_R72_a_batch_inquiry_for_none_or_too_many_is_refused() -> None:
    too_many = orjson.dumps({"appId": "a", "requestIds": ["1"] * 10_001})

    assert faults(b'{"appId": "a", "requestIds": []}', BatchInquiry) == ["$.requestIds: must have at least 1 entry"]
    assert faults(too_many, BatchInquiry) == ["$.requestIds: must have at most 10000 entries"]


def test_R72_a_faulty_request_id_of_a_batch_is_named_by_its_index() -> None:
    assert faults(b'{"appId": "a", "requestIds": ["1", "2 3"]}', BatchInquiry) == [
        "$.requestIds[1]: must not contain @, #, ?, white space or control characters",
    ]
