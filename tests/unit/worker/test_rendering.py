import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.errors import ContractViolationError
from worker.contract.messages import Channel
from worker.contract.send_request import ContentTemplate
from worker.contract.templates import TemplateVersion
from worker.message_content import ChannelLimits, RenderingError
from worker.rendering import CompiledTemplates, TemplateSyntaxError, compile_template

PUSH, INBOX = Channel.PUSH, Channel.INBOX
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def text(title: str = "T", body: str = "B") -> dict[str, str]:
    return {"title": title, "body": body}


def template(**fields: Any) -> TemplateVersion:  # noqa: ANN401 - whatever a definition holds
    whole = {
        "code": "PAY",
        "version": 1,
        "channels": ["PUSH", "INBOX"],
        "default_language": "en-US",
        "contents": {
            "en-US": {"PUSH": text("Hello, ${who}"), "INBOX": text("Hello", "Paid ${amount}")},
            "ja-JP": {"PUSH": text("${who} 様"), "INBOX": text("お支払い", "${amount} at ${time}")},
        },
    }
    return TemplateVersion.model_validate(whole | fields)


def one_text(title: str = "T", body: str = "B", **fields: Any) -> TemplateVersion:  # noqa: ANN401 - as above
    content = text(title, body)
    return template(contents={"en-US": {"PUSH": content, "INBOX": content}}, **fields)


def entry(language: str | None, **parameters: str) -> ContentTemplate:
    return ContentTemplate(language=language, parameters=parameters)


def rendered(
    version: TemplateVersion,
    channel: Channel,
    parameters: dict[str, str],
    link: str = "/pages/1",
) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(compile_template(version).render(channel, "en-US", parameters, link))
    return content


def test_R67_push_content_has_title_content_and_link() -> None:
    content = rendered(one_text("Hello, ${who}", "Paid ${amount}"), PUSH, {"who": "XiaoMing", "amount": "$12.50"})

    assert content == {"title": "Hello, XiaoMing", "content": "Paid $12.50", "linkUrl": "/pages/1"}


def test_R67_inbox_content_has_header_and_body_with_targets() -> None:
    version = one_text("Hello, ${who}", "Paid", app_name="Noodle Bar", app_icon="https://example.com/i.png")

    assert rendered(version, INBOX, {"who": "小明"}) == {
        "header": {"appIcon": "https://example.com/i.png", "appName": "Noodle Bar", "target": {"path": "/pages/1"}},
        "body": {"title": "Hello, 小明", "content": "Paid", "target": {"path": "/pages/1"}},
    }


def test_R60_each_language_and_channel_has_its_own_text() -> None:
    compiled = compile_template(template())

    content = json.loads(compiled.render(INBOX, "ja-JP", {"amount": "1 円", "time": "12:00", "who": "-"}, "/"))

    assert content["body"] == {"title": "お支払い", "content": "1 円 at 12:00", "target": {"path": "/"}}


def test_R63_values_in_an_html_inbox_body_are_escaped_and_its_markup_is_not() -> None:
    version = one_text("${who}", "<b>${who}</b> & more", body_format="html")

    assert rendered(version, INBOX, {"who": "<Tom & 'Ann'>"})["body"] == {
        "title": "<Tom & 'Ann'>",
        "content": "<b>&lt;Tom &amp; &#x27;Ann&#x27;&gt;</b> & more",
        "target": {"path": "/pages/1"},
    }


@pytest.mark.parametrize(("body_format", "channel"), [("html", PUSH), ("text", PUSH), ("text", INBOX)])
def test_R63_plain_text_is_not_escaped(body_format: str, channel: Channel) -> None:
    content = rendered(one_text("T", "${who}", body_format=body_format), channel, {"who": "<Tom & Ann>"})

    assert content.get("body", content)["content"] == "<Tom & Ann>"


@pytest.mark.parametrize(
    ("channel", "title", "body", "named"),
    [
        (PUSH, "${who}", "B", "PUSH title has 11 characters, at most 10"),
        (PUSH, "T", "B ${who}", "PUSH body has 13 characters, at most 12"),
        (INBOX, "${who}${who}", "B", "INBOX title has 22 characters, at most 20"),
        (INBOX, "T", "${who}${who}", "INBOX body has 22 characters, at most 21"),
    ],
)
def test_R63_a_text_too_long_after_rendering_is_refused_without_being_told(
    channel: Channel,
    title: str,
    body: str,
    named: str,
) -> None:
    limits = ChannelLimits(push_title=10, push_body=12, inbox_title=20, inbox_body=21)
    compiled = compile_template(one_text(title, body), limits)

    with pytest.raises(RenderingError, match=named) as caught:
        compiled.render(channel, "en-US", {"who": "小明🍜" + "x" * 8}, "/")

    assert "小明" not in str(caught.value)


@pytest.mark.parametrize("channel", list(Channel))
def test_R66_message_content_of_4096_characters_fits_and_one_more_does_not(channel: Channel) -> None:
    compiled = compile_template(one_text("T", "${who}"), ChannelLimits(push_body=5000))
    room = 4096 - len(compiled.render(channel, "en-US", {"who": ""}, "/"))

    assert len(compiled.render(channel, "en-US", {"who": "🍜" * room}, "/")) == 4096
    with pytest.raises(RenderingError, match=f"{channel} messageContent has 4097 characters, at most 4096"):
        compiled.render(channel, "en-US", {"who": "🍜" * (room + 1)}, "/")


def test_R14_limits_count_characters_not_bytes() -> None:
    compiled = compile_template(one_text("${who}"), ChannelLimits(push_title=4))

    assert json.loads(compiled.render(PUSH, "en-US", {"who": "🍜小明🎉"}, "/"))["title"] == "🍜小明🎉"


def test_a_parameter_missing_at_rendering_is_named() -> None:
    with pytest.raises(RenderingError, match=r"PUSH: .* lack 'who'"):
        compile_template(one_text("${who}")).render(PUSH, "en-US", {}, "/")


def test_text_that_is_no_unicode_is_a_rendering_error() -> None:
    with pytest.raises(RenderingError, match=r"PUSH: .* not valid Unicode"):
        compile_template(one_text("${who}")).render(PUSH, "en-US", {"who": "\ud800"}, "/")


def test_R61_every_fault_of_a_template_is_told_with_its_place() -> None:
    version = template(
        contents={
            "en-US": {"PUSH": text("Hello ${who"), "INBOX": text()},
            "ja-JP": {"PUSH": text(), "INBOX": text(body="$12 ${a b} ${")},
        },
    )

    with pytest.raises(TemplateSyntaxError, match="template PAY") as caught:
        compile_template(version)

    assert [fault.split(": ")[0] for fault in caught.value.faults] == [
        "en-US PUSH title, character 7",
        "ja-JP INBOX body, character 5",
        "ja-JP INBOX body, character 12",
    ]


def test_R9_required_parameters_are_those_of_all_channels_in_the_language() -> None:
    compiled = compile_template(template())

    assert compiled.required("en-US") == {"who", "amount"}
    assert compiled.required("ja-JP") == {"who", "amount", "time"}


def test_R9_each_missing_parameter_of_each_entry_is_named() -> None:
    compiled = compile_template(template())

    assert compiled.missing([entry("en-US", amount="1"), entry("fr"), entry("ja", who="x")]) == [
        "$.templates[0].templateParameters.who: is required by the template",
        "$.templates[2].templateParameters.amount: is required by the template",
        "$.templates[2].templateParameters.time: is required by the template",
    ]


def test_R9_entries_that_fit_miss_nothing() -> None:
    assert compile_template(template()).missing([entry(None, who="x", amount="1", more="2")]) == []


def test_R9_an_entry_without_parameters_misses_them_all() -> None:
    assert len(compile_template(template()).missing([ContentTemplate("en-US", {})])) == 2


def test_R9_extra_parameters_and_unused_entries_are_reported() -> None:
    compiled = compile_template(template())

    assert compiled.superfluous([entry("en", who="x", amount="1", more="2"), entry("fr", who="x")]) == [
        "$.templates[0].templateParameters.more: is not used by the template",
        "$.templates[1]: is not used: the template lacks its language, or another entry is closer",
    ]


def test_R9_the_entry_that_stands_in_for_the_default_is_not_called_unused() -> None:
    assert compile_template(template()).superfluous([entry("fr", who="x", amount="1")]) == []


def test_R9_a_parameter_name_that_is_no_plain_name_is_not_echoed() -> None:
    remarks = compile_template(template()).superfluous([entry("en", **{"who": "x", "amount": "1", "se cret": "2"})])

    assert remarks == ["$.templates[0].templateParameters[*]: is not used by the template"]


def test_R62_the_users_preference_chooses_language_and_parameters() -> None:
    choice = compile_template(template()).choose([entry("en-US", who="a"), entry("ja", who="b")], ["ja-JP", "en"])

    assert (choice.language, choice.parameters, choice.entry) == ("ja-JP", {"who": "b"}, 1)


def test_R62_when_no_language_matches_the_first_entry_fills_the_default() -> None:
    choice = compile_template(template()).choose([entry("fr", who="a", amount="1"), entry("de")], ["fr"])

    assert (choice.language, choice.parameters, choice.entry) == ("en-US", {"who": "a", "amount": "1"}, 0)


def test_R62_when_no_language_matches_and_the_first_entry_does_not_fit_it_is_refused() -> None:
    with pytest.raises(ContractViolationError) as caught:
        compile_template(template()).choose([entry("fr", who="a"), entry("de", who="a", amount="1")], ["fr"])

    assert caught.value.faults == ["$.templates[0].templateParameters.amount: is required by the template"]


@pytest.mark.parametrize(("links", "needs"), [("request", True), ("parameters", False)])
def test_R5_a_redirect_url_is_needed_unless_parameters_bring_the_links(links: str, *, needs: bool) -> None:
    assert compile_template(one_text(links=links)).needs_link is needs


@pytest.mark.parametrize(
    ("channels", "required"),
    [(["PUSH"], {"pushContentUrl"}), (["INBOX"], {"bodyUrl"}), (["PUSH", "INBOX"], {"pushContentUrl", "bodyUrl"})],
)
def test_R5_links_from_parameters_are_required_by_channel(channels: list[str], required: set[str]) -> None:
    contents = {"en-US": {channel: text() for channel in channels}}
    compiled = compile_template(template(channels=channels, contents=contents, links="parameters"))

    assert compiled.required("en-US") == required


def test_R5_links_come_from_parameters_and_the_header_has_its_own() -> None:
    version = one_text(links="parameters")
    parameters = {"pushContentUrl": "/push", "bodyUrl": "/body", "headerLink": "/header", "firstLinkUrl": "/first"}

    inbox = rendered(version, INBOX, parameters)

    assert rendered(version, PUSH, parameters)["linkUrl"] == "/push"
    assert (inbox["header"]["target"], inbox["body"]["target"]) == ({"path": "/header"}, {"path": "/body"})
    assert compile_template(version).superfluous([entry("en", **parameters)]) == []


def test_R5_without_a_header_link_the_header_leads_where_the_body_leads() -> None:
    assert rendered(one_text(links="parameters"), INBOX, {"bodyUrl": "/body"})["header"]["target"] == {"path": "/body"}


def test_R66_the_target_of_a_message_is_its_channels_link() -> None:
    parameters = {"pushContentUrl": "/push", "bodyUrl": "/body"}
    by_parameters = compile_template(one_text(links="parameters"))

    assert compile_template(one_text()).target(PUSH, "en-US", parameters, "/pages/1") == "/pages/1"
    assert by_parameters.target(PUSH, "en-US", parameters, "/pages/1") == "/push"
    assert by_parameters.target(INBOX, "en-US", parameters, "/pages/1") == "/body"


def test_a_version_is_compiled_once() -> None:
    compiled = CompiledTemplates(ChannelLimits())

    assert compiled.of(template()) is compiled.of(template())


def test_a_number_that_comes_back_with_another_content_is_compiled_anew() -> None:
    compiled = CompiledTemplates(ChannelLimits())
    compiled.of(one_text("old"))

    assert json.loads(compiled.of(one_text("new")).render(PUSH, "en-US", {}, "/"))["title"] == "new"


def test_compiled_templates_keep_to_their_limits() -> None:
    with pytest.raises(RenderingError):
        CompiledTemplates(ChannelLimits(push_title=1)).of(one_text("${who}")).render(PUSH, "en-US", {"who": "ab"}, "/")


@given(TEXTS, TEXTS, st.sampled_from(["text", "html"]))
def test_R67_content_is_json_that_says_exactly_what_was_sent(who: str, link: str, body_format: str) -> None:
    version = one_text("<${who}>", body_format=body_format)

    assert rendered(version, PUSH, {"who": who}, link) == {"title": f"<{who}>", "content": "B", "linkUrl": link}
    assert rendered(version, INBOX, {"who": who}, link)["body"]["title"] == f"<{who}>"


@given(TEXTS)
def test_R63_no_value_brings_markup_into_an_html_body(value: str) -> None:
    body = rendered(one_text("T", "<p>${v}</p>", body_format="html"), INBOX, {"v": value})["body"]["content"]

    assert not set("<>\"'") & set(body.removeprefix("<p>").removesuffix("</p>"))


@pytest.mark.parametrize(("channel", "title", "body"), [(PUSH, 10, 12), (INBOX, 20, 21)], ids=str)
def test_R63_texts_are_shown_at_their_limits(channel: Channel, title: int, body: int) -> None:
    compiled = compile_template(
        one_text("${title}", "${body}"), ChannelLimits(push_title=10, push_body=12, inbox_title=20, inbox_body=21)
    )

    for shorter in (0, 1):
        parameters = {"title": "🍜" * (title - shorter), "body": "小" * (body - shorter)}
        shown = compiled.render(channel, "en-US", parameters, "/")
        assert (shown.count("🍜"), shown.count("小")) == (title - shorter, body - shorter)
