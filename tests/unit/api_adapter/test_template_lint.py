from typing import Any

import pytest

from api_adapter.template_lint import Grade, lint
from worker.contract.templates import TemplateDefinition


def definition(contents: dict[str, dict[str, tuple[str, str]]], **fields: Any) -> TemplateDefinition:  # noqa: ANN401
    """Return a template of (title, body) by language and channel."""
    texts = {
        language: {channel: {"title": title, "body": body} for channel, (title, body) in channels.items()}
        for language, channels in contents.items()
    }
    channels = list(dict.fromkeys(channel for given in contents.values() for channel in given))
    whole = {"code": "PAY", "channels": channels, "default_language": next(iter(contents)), "contents": texts}
    return TemplateDefinition.model_validate(whole | fields)


def push(title: str = "Paid", body: str = "Thank you", **fields: Any) -> TemplateDefinition:  # noqa: ANN401
    return definition({"en-US": {"PUSH": (title, body)}}, **fields)


def inbox(title: str = "Paid", body: str = "Thank you", **fields: Any) -> TemplateDefinition:  # noqa: ANN401
    return definition({"en-US": {"INBOX": (title, body)}}, **fields)


def remarks(of: TemplateDefinition, **options: Any) -> list[str]:  # noqa: ANN401 - as `lint`
    return [str(remark) for remark in lint(of, **options)]


def test_of_a_sound_template_nothing_is_said() -> None:
    assert remarks(push("Paid ${amount}", "Thank you, ${who}, for $12.50 or $USD")) == []


def test_a_language_that_lacks_a_parameter_is_told_with_those_that_have_it() -> None:
    three = definition(
        {
            "en-US": {"PUSH": ("Paid ${amount}", "${who}")},
            "ja-JP": {"PUSH": ("${amount} 円", "毎度")},
            "ko-KR": {"PUSH": ("결제", "${who}")},
        },
    )

    assert remarks(three) == [
        "warning: contents.ja-JP.PUSH: lacks ${who}, which is shown in en-US, ko-KR",
        "warning: contents.ko-KR.PUSH: lacks ${amount}, which is shown in en-US, ja-JP",
    ]


def test_a_parameter_of_one_channel_alone_is_a_note_and_links_are_not_told() -> None:
    both = definition({"en": {"PUSH": ("Paid", "${who}"), "INBOX": ("Paid", "${who} ${time}")}}, links="parameters")

    assert remarks(both) == ["note: contents: ${time} occurs in INBOX alone"]


def test_a_text_that_no_value_fits_is_an_error() -> None:
    [remark] = lint(push(title="T" * 129))

    assert (remark.grade, remark.location) == (Grade.ERROR, ("contents", "en-US", "PUSH"))
    assert remark.text == "title has 129 characters, at most 128 are allowed, even with empty values"


@pytest.mark.parametrize(("fixed", "fits"), [(88, 40), (89, 39), (127, 1), (128, 0)])
def test_lengths_are_judged_with_long_values_and_what_would_fit_is_told(fixed: int, fits: int) -> None:
    told = remarks(push(title="T" * fixed + "${who}"))

    text = (
        f"warning: contents.en-US.PUSH: with values of 40 characters the title has {fixed + 40} characters, "
        f"at most 128 are allowed; values of {fits} each would fit"
    )
    assert told == ([] if fits == 40 else [text])


def test_the_longest_value_is_the_callers_to_choose() -> None:
    assert remarks(push(title="${who}"), longest=128) == []
    assert len(remarks(push(title="${who}"), longest=129)) == 1


@pytest.mark.parametrize("text", ["<b>Paid</b>", "Paid<br/>", "Tom &amp; Ann", "&#39;", '<a href="x">y</a>'])
def test_html_is_told_wherever_it_is_shown_as_written(text: str) -> None:
    assert len(remarks(push(body=text))) == 1
    assert len(remarks(push(title=text))) == 1
    assert len(remarks(inbox(body=text))) == 1
    assert len(remarks(inbox(title=text, body_format="html"))) == 1
    assert remarks(inbox(body=text, body_format="html")) == []


@pytest.mark.parametrize("text", ["1 < 2 and 3 > 2", "AT&T", "Tom & Ann; Bob", "<3", "a <- b"])
def test_what_only_resembles_html_is_not_told(text: str) -> None:
    assert remarks(push(body=text)) == []


@pytest.mark.parametrize("text", ["{who}", "{{ who }}", "$who", "$${who}", "%(who)s"])
def test_what_resembles_a_parameter_of_the_template_is_told(text: str) -> None:
    [told] = remarks(push(title="${who}", body=f"Hello, {text}!"))

    assert told.startswith("warning: contents.en-US.PUSH.body: users see ")
    assert told.endswith("as it is written; a parameter is ${who}")


def test_what_resembles_no_parameter_of_the_template_is_text() -> None:
    assert remarks(push(title="${who}", body="$whole {amount} $USD $12 who")) == []


def test_a_text_that_was_not_translated_is_a_note() -> None:
    same = {"PUSH": ("Paid ${amount}", "¥ ${amount}")}

    assert remarks(definition({"en-US": same, "ja-JP": same, "en-GB": same})) == [
        "note: contents.ja-JP.PUSH.title: is the same text as in en-US: not translated?",
    ]


def test_a_language_that_somebody_wants_and_nothing_matches_is_told() -> None:
    assert remarks(push(), wanted=["en-GB", "ko", "zh-Hant"]) == [
        "warning: contents: has no text in ko; its users get another language",
        "warning: contents: has no text in zh-Hant; its users get another language",
    ]
