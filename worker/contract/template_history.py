"""The life of a template's versions: stored, published, rolled back (CONTRACT R60)."""

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

from worker.contract.errors import TidingsError


class TemplateAct(StrEnum):
    """What was done to a template; the texts are the scripts' arguments and stand in the history."""

    PUT = "PUT"
    """A version was stored. Alone it is a draft."""
    PUBLISH = "PUBLISH"
    """A version was made the live one."""
    ROLLBACK = "ROLLBACK"
    """The version before the live one was made the live one again."""


class TemplateEvent(NamedTuple):
    """One line of a template's history."""

    at: int
    """Milliseconds since 1970."""
    act: TemplateAct
    version: int
    """What was stored or made live."""
    former: int
    """What was live until then; 0: nothing."""
    by: str
    """Who did it, as they said; may be empty."""


class Published(IntEnum):
    """What the publish script answers; the numbers are its return codes."""

    UNCHANGED = 0
    """The version is the live one already."""
    DONE = 1
    ABSENT = 2
    MOVED = 3
    """Another version is live than was expected: nothing was changed."""


class TemplateMove(NamedTuple):
    """What putting, publishing or rolling back came to."""

    version: int
    """The version that was stored or made live."""
    former: int
    """The version that was live before; 0: none."""
    changed: bool
    """False: it was there, or was live, already."""


class TemplateStanding(NamedTuple):
    """Which versions a template has."""

    code: str
    live: int
    """The live version; 0: none, it has drafts alone."""
    newest: int
    """The highest version; a draft where it is not live and never was."""


class TemplateMoveError(TidingsError):
    """A version can't be made live; the text says why and what to do."""


def before_live(history: Sequence[TemplateEvent]) -> int | None:
    """Return the version that a rollback leads to, or None where there is none.

    Each rollback goes one publication further back, so that a second one never brings back what the first one removed.
    `history` has the newest event first.
    """
    path: list[int] = []
    for event in reversed(history):
        if event.act is TemplateAct.PUBLISH and event.former:
            path.append(event.former)
        elif event.act is TemplateAct.ROLLBACK:
            path.pop()
    return path[-1] if path else None
