"""A page that shows what a template's channels show in all its languages, side by side, for a browser.

It needs nothing but itself: no script, no font, no picture is loaded, and its policy forbids it. Every text is escaped;
an INBOX body that is HTML stands in a frame of its own that may run nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from typing import NamedTuple

from api_adapter.previewing import ChannelView, LanguageView, views
from worker.contract.messages import Channel
from worker.contract.send_request import ContentTemplate
from worker.contract.templates import BodyFormat, TemplateVersion
from worker.message_content import LINK_PARAMETERS
from worker.rendering import CompiledTemplate

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Pictured(NamedTuple):
    """What a page is made of."""

    page: str
    """The HTML document."""
    stand_ins: tuple[str, ...]
    """Parameters that were not given: their names stand in their places."""


def picture(template: CompiledTemplate, parameters: Mapping[str, str], link: str) -> Pictured:
    """Return the page of a template with these parameters, the same in each language."""
    names = sorted(set().union(*(template.required(language) for language in template.languages)) - parameters.keys())
    filled = {name: link if name in LINK_PARAMETERS else f"[{name}]" for name in names} | dict(parameters)
    entries = [ContentTemplate(language=language, parameters=filled) for language in template.languages]
    shown = views(template, entries, link)
    return Pictured("\n".join(_page(template.version, shown, names)), tuple(names))


def _page(version: TemplateVersion, shown: Sequence[LanguageView], names: Sequence[str]) -> Iterator[str]:
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    title = f"{escape(version.code)} version {version.version}"
    stand_ins = f" Not given: {escape(', '.join(names))}." if names else ""
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>"
    yield f'<header><h1>{title}</h1><p class="facts">{len(shown)} languages.{stand_ins}</p></header>\n<main>'
    for view in shown:
        yield from _language(version, view)
    yield "</main>\n</body>\n</html>"


def _language(version: TemplateVersion, view: LanguageView) -> Iterator[str]:
    language = escape(view.language)
    default = " (default)" if view.language == version.default_language else ""
    yield f'<section lang="{language}"><h2>{language}{default}</h2>'
    for channel in view.channels:
        yield from _card(version, channel)
    yield "</section>"


def _card(version: TemplateVersion, view: ChannelView) -> Iterator[str]:
    name = version.app_name or version.code
    yield f'<article class="{view.channel.lower()}">'
    yield f'<div class="sender"><span class="icon">{escape(name[:1])}</span>{escape(name)}'
    yield f'<span class="channel">{view.channel}</span></div>'
    if view.fault:
        yield f'<p class="fault">{escape(view.fault)}</p>'
    else:
        yield f"<h3>{escape(view.title)}</h3>"
        yield _body(version, view)
        yield f'<p class="link">→ {escape(view.link)}</p>'
    lengths = (f"{part} {length.characters:,} of {length.most:,}" for part, length in view.lengths.items())
    yield f'<p class="lengths">{escape(" · ".join(lengths))}</p></article>'


def _body(version: TemplateVersion, view: ChannelView) -> str:
    if view.channel is Channel.INBOX and version.body_format is BodyFormat.HTML:
        # An empty sandbox: no script, no form, no way out.
        return f'<iframe sandbox title="{escape(view.title)}" srcdoc="{escape(view.body)}"></iframe>'
    return f'<div class="body">{escape(view.body)}</div>'
