"""What the verbs say of themselves."""

import re

import pytest
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


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_help_of_a_verb_has_an_example_of_it(verb: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})

    assert result.exit_code == 0
    _, _, examples = result.stdout.partition("Example")
    assert f"tidings {' '.join(verb)}" in examples


def test_a_help_is_not_broken_where_its_source_is() -> None:
    result = CliRunner().invoke(app, ["ledger", "check", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})

    assert "so must those of batches; every open message must be due" in result.stdout


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_option_of_a_verb_is_explained(verb: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})

    options = re.findall(r"(--[a-z-]+) +(\S.*?)\s*│", result.stdout)
    assert "--help" in dict(options)
    assert all(len(text.split()) > 2 for _, text in options)


@pytest.mark.parametrize("group", ["template", "token", "wallet", "client", "dlq", "ledger"])
def test_a_group_alone_shows_its_verbs(group: str) -> None:
    shown = CliRunner().invoke(app, [group]).stdout

    assert all(verb[-1] in shown for verb in VERBS if verb[0] == group)
