"""What the verbs say of themselves."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api_adapter.cli.main import app

VERBS = (
    ("send",),
    ("lint",),
    ("status",),
    ("template", "put"),
    ("template", "list"),
    ("template", "show"),
    ("template", "publish"),
    ("template", "rollback"),
    ("template", "history"),
    ("template", "diff"),
    ("template", "lint"),
    ("template", "preview"),
    ("token", "put"),
    ("token", "list"),
    ("token", "revoke"),
    ("wallet", "put"),
    ("wallet", "list"),
    ("client", "add"),
    ("client", "rotate"),
    ("client", "list"),
    ("callback", "put"),
    ("callback", "remove"),
    ("doctor",),
    ("merchant", "pause"),
    ("merchant", "resume"),
    ("merchant", "show"),
    ("merchant", "cancel"),
    ("batch", "create"),
    ("batch", "upload"),
    ("batch", "lint"),
    ("batch", "run"),
    ("batch", "pause"),
    ("batch", "resume"),
    ("batch", "cancel"),
    ("batch", "status"),
    ("batch", "list"),
    ("batch", "results"),
    ("batch", "errors"),
    ("sign",),
    ("reconcile",),
    ("dlq", "stats"),
    ("dlq", "ls"),
    ("dlq", "show"),
    ("dlq", "replay"),
    ("dlq", "discard"),
    ("dlq", "export"),
    ("ledger", "check"),
)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - click's own
    """Yield each verb with its path."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
    for name, one in (inner or {}).items():
        yield from commands(one, (*path, name))


COMMANDS = dict(commands(get_command(app)))


def helped(verb: tuple[str, ...]) -> str:
    result = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert result.exit_code == 0
    return result.stdout


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_help_of_a_verb_has_an_example_of_it(verb: tuple[str, ...]) -> None:
    _, _, examples = helped(verb).partition("Example")

    assert f"tidings {' '.join(verb)}" in words(examples)


def test_a_help_is_not_broken_where_its_source_is() -> None:
    paragraph = re.search(r"(?:^  \S.*\n)+", helped(("ledger", "check")).partition("\n\n")[2], re.MULTILINE)

    assert paragraph is not None
    lines = paragraph[0].splitlines()
    assert len(lines) > 1
    # No word of the next line would have fitted.
    assert all(len(f"{line} {words(after).split()[0]}") > 78 for line, after in pairwise(lines))


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_every_option_of_a_verb_is_explained(verb: tuple[str, ...]) -> None:
    explained = {option.opts[-1]: getattr(option, "help", None) or "" for option in COMMANDS[verb].params}

    assert all(len(text.split()) > 2 for text in explained.values()), explained


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_a_help_is_whole_in_80_columns(verb: tuple[str, ...]) -> None:
    shown = helped(verb)

    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    for option in COMMANDS[verb].params:
        assert all(name in shown for name in option.opts + option.secondary_opts if name.startswith("-"))
        assert words(getattr(option, "help", None) or "") in words(shown)


@pytest.mark.parametrize("group", ["template", "token", "wallet", "client", "dlq", "ledger"])
def test_a_group_alone_shows_its_verbs(group: str) -> None:
    shown = CliRunner().invoke(app, [group]).stdout

    assert all(verb[-1] in shown for verb in VERBS if verb[0] == group)
