"""What users see of a message, drawn for a terminal."""

from collections.abc import Iterator
from unicodedata import category

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from api_adapter.cli.printing import harmless
from api_adapter.previewing import ChannelView, LanguageView
from worker.contract.messages import Channel

WIDTH = 72
"""Columns of a panel, on a terminal or not."""


def panels(view: LanguageView) -> Iterator[Panel]:
    """Yield a panel for each channel of a language."""
    for channel in view.channels:
        yield _panel(view.language, channel)


def _panel(language: str, view: ChannelView) -> Panel:
    sender = view.content.get("header", {}).get("appName", "") if view.channel is Channel.INBOX else ""
    heading = " · ".join(filter(None, (f"{view.channel} in {language}", harmless(sender))))
    if view.fault:
        return _framed(heading, Group(Text(view.fault, "red")))
    shown = (Text(_text(view.title), "bold"), Text(_text(view.body)), Text(f"→ {harmless(view.link)}", "cyan"))
    lengths = ", ".join(
        f"{part} {length.characters:,} of {length.most:,}" for part, length in view.lengths.items() if length.characters
    )
    return _framed(heading, Group(*shown, Text(lengths, "dim")))


def _framed(heading: str, shown: Group) -> Panel:
    return Panel(shown, title=Text(heading), title_align="left", width=WIDTH)


def _text(text: str) -> str:
    """Return a text as it is, but for control characters: wide spaces and joined emoji belong to it."""
    return "".join(
        character if character == "\n" or category(character) not in {"Cc", "Cs"} else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
