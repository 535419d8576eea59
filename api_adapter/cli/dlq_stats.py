"""`tidings dlq stats`: what the dead letters have in common."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated

import typer

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.letter_queries import HELP, parse
from api_adapter.cli.printing import AsJson, counted, elapsed, print_json, utc
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery

EPILOG = f"{HELP}\n\nExamples:\n\ntidings dlq stats\n\ntidings dlq stats app:333301 newer:1d --json\n\nExit code: 0."
_AT_ONCE = 2_000


@dataclass(slots=True)
class Group:
    """Letters that have something in common."""

    letters: int
    oldest: int
    """When the first of them died, in milliseconds since 1970."""


@dataclass(slots=True)
class Stats:
    """All letters that were looked at, together and by what they have in common."""

    letters: int = 0
    oldest: DeadLetter | None = None
    groups: dict[str, dict[str, Group]] = field(default_factory=lambda: {name: {} for name in _GROUPINGS})

    def add(self, letter: DeadLetter) -> None:
        """Count one more, older than all before."""
        self.letters += 1
        self.oldest = letter
        for name, values in _GROUPINGS.items():
            for value in set(values(letter)):
                group = self.groups[name].setdefault(value, Group(0, letter.died_at))
                group.letters += 1
                group.oldest = letter.died_at


def _gateways(letter: DeadLetter) -> Iterable[str]:
    return (channel.gateway for channel in letter.given_up)


_GROUPINGS: dict[str, Callable[[DeadLetter], Iterable[str]]] = {
    "cause": lambda letter: (letter.cause,),
    "app": lambda letter: (letter.app_id,),
    "template": lambda letter: (letter.template_code,),
    "gateway": _gateways,
}
"""By what letters are counted. One whose channels failed at two gateways counts at each."""


def stats(
    query: Annotated[list[str] | None, typer.Argument(metavar="QUERY", help="Which ones; default: all.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by cause, app, template and gateway, and say how old the oldest is."""
    with told():

        async def main(services: Services) -> tuple[Stats, int]:
            now = await services.dead_letters.now()
            return await _count(services, parse(query or (), now)), now

        found, now = run(main)
        if as_json:
            print_json(_json(found, now))
        else:
            _print(found, now)


async def _count(services: Services, query: DeadLetterQuery) -> Stats:
    found, after = Stats(), None
    while True:
        page = await services.dead_letters.page(query, _AT_ONCE, after)
        for letter in page.letters:
            found.add(letter)
        if page.more_after is None:
            return found
        after = page.more_after


def _print(found: Stats, now: int) -> None:
    if found.letters:
        show_table(("By", "Value", "Letters", "Oldest died", "Ago"), _rows(found, now))
    say(f"{counted(found.letters, 'dead letter')}{_age(found, now)}")


def _age(found: Stats, now: int) -> str:
    if found.oldest is None:
        return ""
    age = elapsed(max(0, now - found.oldest.died_at))
    return f", the oldest died {age} ago: tidings dlq show {found.oldest.message_id}"


def _most_first(groups: dict[str, Group]) -> list[tuple[str, Group]]:
    return sorted(groups.items(), key=lambda item: (-item[1].letters, item[0]))


def _rows(found: Stats, now: int) -> Iterator[tuple[str, ...]]:
    for name, groups in found.groups.items():
        for value, group in _most_first(groups):
            age = elapsed(max(0, now - group.oldest))
            yield name, value or "none was called", f"{group.letters:,}", utc(group.oldest), age


def _json(found: Stats, now: int) -> dict[str, object]:
    oldest = found.oldest
    return {
        "deadLetters": found.letters,
        "oldestMessageId": oldest.message_id if oldest else None,
        "oldestDiedAt": oldest.died_at if oldest else None,
        "oldestAgeMs": now - oldest.died_at if oldest else None,
        **{
            f"by{name.capitalize()}": [
                {name: value or None, "letters": group.letters, "oldestDiedAt": group.oldest}
                for value, group in _most_first(groups)
            ]
            for name, groups in found.groups.items()
        },
    }
