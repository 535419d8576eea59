from html.parser import HTMLParser

import pytest
from typing_extensions import override

from api_adapter.preview_page import picture
from tests.front_desk import payment_notice
from worker.rendering import compile_template

NASTY = "</title><script>alert('\"1\"')</script> & <img src=x onerror=alert(2)>"


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @override
    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_every_language_has_a_card_for_each_channel() -> None:
    pictured = picture(compile_template(payment_notice(app_name="Bar")), {"who": "Mia", "amount": "¥5"}, "/pages/1")

    elements = Elements(pictured.page)
    assert [section["lang"] for section in elements.named("section")] == ["en-US", "ja-JP"]
    assert [card["class"] for card in elements.named("article")] == ["push", "inbox"] * 2
    assert pictured.stand_ins == ()
    assert all(elements.texts.count(text) == 2 for text in ("Hello, Mia", "お支払い ¥5", "Mia 様"))


def test_parameters_that_are_not_given_are_shown_by_their_names_and_links_by_the_link() -> None:
    pictured = picture(compile_template(payment_notice(links="parameters")), {"who": "Mia"}, "/pages/1")

    texts = Elements(pictured.page).texts
    assert pictured.stand_ins == ("amount", "bodyUrl", "pushContentUrl")
    assert texts.count("お支払い [amount]") == 2
    assert texts.count("→ /pages/1") == 4


@pytest.mark.parametrize("body_format", ["text", "html"])
def test_no_value_and_no_text_becomes_markup(body_format: str) -> None:
    content = {"title": NASTY, "body": "${who}"}
    version = payment_notice(
        contents={"en-US": {"PUSH": content, "INBOX": content}},
        app_name=NASTY,
        body_format=body_format,
    )

    elements = Elements(picture(compile_template(version), {"who": NASTY}, "/pages/<b>").page)

    assert elements.named("script") == elements.named("img") == elements.named("b") == []
    assert all("onerror" not in attributes for _, attributes in elements.tags)


def test_an_html_body_stands_in_a_frame_that_may_run_nothing_with_its_values_escaped() -> None:
    content = {"title": "Paid", "body": "<p>Hello, ${who}</p>"}
    version = payment_notice(contents={"en-US": {"PUSH": content, "INBOX": content}}, body_format="html")

    elements = Elements(picture(compile_template(version), {"who": "<i>"}, "/").page)

    (frame,) = elements.named("iframe")
    assert (frame["sandbox"], frame["srcdoc"]) == (None, "<p>Hello, &lt;i&gt;</p>")
    assert "<p>Hello, <i></p>" in elements.texts


def test_the_page_says_what_is_too_long_and_forbids_itself_to_load_anything() -> None:
    page = picture(compile_template(payment_notice()), {"who": "x" * 2000}, "/").page

    elements = Elements(page)
    assert "PUSH body has 2007 characters, at most 1024 are allowed: shorten the template or its parameters" in (
        elements.texts
    )
    (policy,) = [meta["content"] for meta in elements.named("meta") if "http-equiv" in meta]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not [attributes for _, attributes in elements.tags if {"src", "href"} & attributes.keys()]
