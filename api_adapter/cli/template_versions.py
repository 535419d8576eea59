"""`tidings template publish`, `rollback`, `history` and `diff`: which version is live, and what that changes."""

from collections.abc import Iterator, Sequence
from difflib import ndiff
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, harmless, print_json, screen, utc
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from api_adapter.cli.template_arguments import By, Code, TemplateCommandError, found, warn_of, warn_of_move, whoever
from api_adapter.template_changes import Change, changes, consequences
from worker.contract.template_history import TemplateAct, TemplateEvent, TemplateMove, TemplateStanding
from worker.contract.templates import TemplateVersion
from worker.rendering import compile_template

PUBLISH_EPILOG = (
    "Examples:\n\n"
    "tidings template publish PAYMENT_NOTICE 4\n\n"
    "tidings template publish PAYMENT_NOTICE 2 --by release-17\n\n"
    "Every process uses it within a second. Sends that were taken before keep their version."
)
ROLLBACK_EPILOG = (
    "Example:\n\n"
    "tidings template rollback PAYMENT_NOTICE\n\n"
    "Again, it goes back one publication more. To go forward publish a version by its number."
)
HISTORY_EPILOG = "Example:\n\ntidings template history PAYMENT_NOTICE"
DIFF_EPILOG = (
    "Examples:\n\n"
    "tidings template diff PAYMENT_NOTICE      (the live version and the newest)\n\n"
    "tidings template diff PAYMENT_NOTICE 2    (the live version and version 2)\n\n"
    "tidings template diff PAYMENT_NOTICE 2 4\n\n"
    "`!` marks what gets sends refused that are taken now."
)
_ACTS = {
    TemplateAct.PUT: "stored version {0.version}",
    TemplateAct.PUBLISH: "published version {0.version}",
    TemplateAct.ROLLBACK: "rolled back from {0.former} to {0.version}",
}
_COLOURS = {"- ": "red", "+ ": "green"}


class _Moved(NamedTuple):
    move: TemplateMove
    old: TemplateVersion | None
    new: TemplateVersion


def publish(
    code: Code,
    version: Annotated[int, typer.Argument(min=1, help="Number of the version, newer or older than the live one.")],
    *,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the live one: sends are rendered with it from now on."""
    with told():

        async def main(services: Services) -> _Moved:
            return await _with_versions(services, code, await services.templates.publish(code, version, whoever(by)))

        moved = run(main)
        warn_of(moved.new)
        _tell(code, moved, as_json=as_json)


def rollback(code: Code, *, by: By = None, as_json: AsJson = False) -> None:
    """Make the version live again that was so before the live one was published."""
    with told():

        async def main(services: Services) -> _Moved:
            return await _with_versions(services, code, await services.templates.roll_back(code, whoever(by)))

        _tell(code, run(main), as_json=as_json)


def history(code: Code, *, as_json: AsJson = False) -> None:
    """Show which version was stored, published or rolled back, when and by whom; the newest first."""
    with told():

        async def main(services: Services) -> tuple[TemplateEvent, ...]:
            await _standing(services, code)
            return await services.templates.history(code)

        events = run(main)
        if as_json:
            print_json([event._asdict() for event in events])
        else:
            rows = [(utc(event.at), _ACTS[event.act].format(event), event.by) for event in events]
            show_table(["When", "What", "Who"], rows)


def diff(
    code: Code,
    old: Annotated[int | None, typer.Argument(min=1, help="A version; default: the live one.")] = None,
    new: Annotated[int | None, typer.Argument(min=1, help="Another; default: the newest.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions, and what senders will notice.

    With one number it is compared with the live version; with none the newest version is.
    """
    with told():
        before, after = _two(code, old, new)
        differing = changes(before, after)
        noticed = consequences(compile_template(before), compile_template(after))
        if as_json:
            print_json(
                {
                    "code": code,
                    "old": before.version,
                    "new": after.version,
                    "changes": [change._asdict() for change in differing],
                    "consequences": [one._asdict() for one in noticed],
                },
            )
            return
        print_lines = screen().print
        print_lines(f"{code}: version {before.version} and version {after.version}")
        for line in _lines(differing):
            print_lines(line)
        for one in noticed:
            print_lines(Text(f"{'!' if one.breaks else ' '} {one.text}", "yellow" if one.breaks else ""))
        if not differing:
            print_lines("nothing differs")


async def _with_versions(services: Services, code: str, move: TemplateMove) -> _Moved:
    new = await found(services, code, move.version)
    return _Moved(move, await services.templates.version(code, move.former), new)


def _tell(code: str, moved: _Moved, *, as_json: bool) -> None:
    move = moved.move
    warn_of_move(moved.old, moved.new)
    if as_json:
        print_json({"code": code, **move._asdict()})
    elif not move.changed:
        say(f"{code}: version {move.version} is live already")
    else:
        say(f"{code}: version {move.version} is live{f', version {move.former} was' if move.former else ''}")


async def _standing(services: Services, code: str) -> TemplateStanding:
    for standing in await services.templates.standings():
        if standing.code == code:
            return standing
    raise TemplateCommandError(f"there is no template {code}: see `tidings template list`")


def _two(code: str, old: int | None, new: int | None) -> tuple[TemplateVersion, TemplateVersion]:
    async def main(services: Services) -> tuple[TemplateVersion, TemplateVersion]:
        standing = await _standing(services, code)
        first, second = (None, old) if new is None and old is not None else (old, new)
        before = await found(services, code, first)
        return before, await found(services, code, standing.newest if second is None else second)

    return run(main)


def _lines(differing: Sequence[Change]) -> Iterator[Text]:
    for change in differing:
        yield Text(change.part, "bold")
        for line in ndiff(_split(change.old), _split(change.new)):
            if not line.startswith("? "):
                yield Text(f"  {line[:2]}{harmless(line[2:])}", _COLOURS.get(line[:2], "dim"))


def _split(text: str | None) -> list[str]:
    return [] if text is None else text.split("\n")
