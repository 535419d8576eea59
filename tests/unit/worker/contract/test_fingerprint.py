import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import send_body, send_fields
from worker.contract.fingerprint import fingerprint
from worker.contract.links import link_of
from worker.contract.parsing import parse
from worker.contract.send_request import LenientSendRequest, SendRequest

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FEW = st.sampled_from(["", "a", "b", "é", "小明", "😀", "${a}", 'qu"ote', "back\\slash", "line\nbreak"])
ENTRIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"language": st.sampled_from(["en", "ja", "zh-Hant-HK", None])},
    optional={"templateParameters": st.dictionaries(FEW | TEXTS, FEW | TEXTS, max_size=3)},
)
CONTENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "templateCode": st.sampled_from(["PAY", "PAY2", "支払い"]),
        "templates": st.lists(ENTRIES, min_size=1, max_size=3, unique_by=lambda entry: str(entry["language"])),
    },
    optional={
        "redirectUrl": st.none() | FEW,
        "actionUrl": st.none() | FEW,
        "extendInfo": st.none() | FEW | TEXTS,
        "customerBelongsTo": st.sampled_from([None, "GCASH", "TNG"]),
    },
)


def sent(**replaced: object) -> SendRequest:
    return parse(SendRequest, send_body(**replaced))


def test_a_fingerprint_is_short_and_plain() -> None:
    assert len(fingerprint(sent())) == 32
    assert int(fingerprint(sent()), 16)


def test_R2_two_sends_that_differ_in_their_token_alone_have_the_same_fingerprint() -> None:
    assert fingerprint(sent(accessToken="one")) == fingerprint(sent(accessToken="other"))


def test_R53_the_order_of_keys_in_an_extend_info_object_does_not_matter() -> None:
    one = parse(LenientSendRequest, send_body(extendInfo={"a": 1, "b": {"c": 2, "d": 3}}))
    other = parse(LenientSendRequest, send_body(extendInfo={"b": {"d": 3, "c": 2}, "a": 1}))

    assert fingerprint(one) == fingerprint(other)


def shuffled(value: object, draw: Callable[[st.SearchStrategy[Any]], Any]) -> object:
    """Return the same JSON with the keys of every object in another order."""
    if isinstance(value, Mapping):
        return {key: shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        return [shuffled(item, draw) for item in value]
    return value


@given(
    st.data(), CONTENTS, st.booleans(), st.sampled_from([None, 0, 3]), st.sampled_from([(",", ":"), (" , ", " :\t")])
)
def test_R53_key_order_white_space_and_escapes_do_not_change_the_fingerprint(
    data: st.DataObject,
    content: dict[str, Any],
    escaped: bool,  # noqa: FBT001 - drawn, not chosen
    indent: int | None,
    separators: tuple[str, str],
) -> None:
    written = json.dumps(
        shuffled(send_fields(**content), data.draw),
        ensure_ascii=escaped,
        indent=indent,
        separators=separators,
    )

    assert fingerprint(parse(SendRequest, written.encode())) == fingerprint(sent(**content))


def meaning(request: SendRequest) -> object:
    """Return what a user would see of a send, for comparing."""
    entries = [(entry.language, entry.parameters) for entry in request.templates]
    return request.template_code, link_of(request), entries, request.extend_info, request.customer_belongs_to


@given(CONTENTS, CONTENTS)
def test_R41_contents_have_the_same_fingerprint_exactly_when_they_mean_the_same(
    one: dict[str, Any],
    other: dict[str, Any],
) -> None:
    first, second = sent(**one), sent(**other)

    assert (fingerprint(first) == fingerprint(second)) == (meaning(first) == meaning(second))


@pytest.mark.parametrize(
    "change",
    [
        {"templateCode": "OTHER"},
        {"redirectUrl": "/pages/2"},
        {"redirectUrl": None, "actionUrl": "/pages/2"},
        {"redirectUrl": None},
        {"redirectUrl": ""},
        {"templates": [{"language": "en-GB", "templateParameters": {"who": "XiaoMing"}}]},
        {"templates": [{"templateParameters": {"who": "XiaoMing"}}]},
        {"templates": [{"language": "en-US", "templateParameters": {"who": "XiaoHong"}}]},
        {"templates": [{"language": "en-US", "templateParameters": {"whom": "XiaoMing"}}]},
        {"templates": [{"language": "en-US", "templateParameters": {"who": "XiaoMing", "x": ""}}]},
        {"templates": [{"language": "en-US", "templateParameters": {"who": "XiaoMing"}}, {"language": "ja"}]},
        {"extendInfo": ""},
        {"extendInfo": "{}"},
        {"customerBelongsTo": "GCASH"},
    ],
    ids=str,
)
def test_R41_every_part_of_the_content_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert fingerprint(sent(**change)) != fingerprint(sent())


@pytest.mark.parametrize(
    "change",
    [
        {"actionUrl": "/ignored"},
        {"redirectUrl": None, "actionUrl": "/pages/1"},
        {"unknown": 1},
        {"templates": [{"language": "EN_us", "templateParameters": {"who": "XiaoMing"}}]},
        {"customerBelongsTo": None},
    ],
    ids=str,
)
def test_R41_what_does_not_change_the_message_does_not_change_the_fingerprint(change: dict[str, object]) -> None:
    assert fingerprint(sent(**change)) == fingerprint(sent())
