"""The README and docs/ say what is true: settings, links, commands, codes and log events are compared with the code."""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.main import get_command
from typer.testing import CliRunner

from api_adapter.cli.main import app
from api_adapter.drill.faults import CATALOGUE
from api_adapter.drill.report import HEADINGS, markdown
from api_adapter.metrics import render
from benchmarks.documents import PAGES as MEASURED_PAGES
from benchmarks.documents import charts, rendered
from tests.fakes.figures import FakeFigures
from tests.fakes.ledger import FakeLedger
from worker.adapters.gateways.simulator.behaviours import SCRIPTABLE, behaviour_of
from worker.contract.codes import ResultCode
from worker.contract.introspection import MemberNames
from worker.contract.messages import DeadCause
from worker.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
IN_CONTAINER = "docker compose run --rm api "


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return a section of the README, from its heading to the next of any level two."""
    return text_of(README).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """Return the first cell of each row of the tables in a text, heads included."""
    return [line.split("|")[1].strip() for line in text.splitlines() if re.match(r"\| [^|]", line)]


def shown(default: object) -> str:
    """Return a default as the settings table writes it."""
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    return "empty" if value in ("", (), {}, MemberNames()) else f"`{value}`"


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures that lead into the repository."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(page: Path) -> Iterator[str]:
    """Yield every line of a page's shell blocks, and every piece of code in its prose, broken over lines or not."""
    text = text_of(page)
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        yield from re.sub(r"\\\n\s*", "", block).splitlines()
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", prose))


def commands(page: Path) -> list[str]:
    """Return every command line of `tidings` that a page names, without the program's name."""
    found = []
    for line in code(page):
        in_pipe = line.replace(IN_CONTAINER, "tidings ").split(" | ")[-1]
        if re.match(r"tidings( |$)", in_pipe):
            found.append(in_pipe.removeprefix("tidings").strip())
    return found


EVERY_COMMAND = sorted({command for page in PAGES for command in commands(page)})


def test_the_settings_table_is_that_of_the_model() -> None:
    meanings = {name: re.sub(r" \(R\d+\)", "", str(field.description)) for name, field in Settings.model_fields.items()}
    expected = [
        f"| `{PREFIX}{name.upper()}` | {shown(field.default)} | {meanings[name]} |"
        for name, field in Settings.model_fields.items()
    ]

    rows = [line for line in text_of(ROOT / "docs" / "settings.md").splitlines() if line.startswith(f"| `{PREFIX}")]

    assert rows == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    of_the_tests = {f"{PREFIX}TEST_DOCKER"}

    assert set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text_of(page))) <= known | of_the_tests


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_the_pages_name_commands_of_every_group() -> None:
    named = {command.partition(" ")[0] for command in EVERY_COMMAND}
    group: Any = get_command(app)

    assert set(group.commands) <= named


@pytest.mark.parametrize("line", EVERY_COMMAND)
def test_every_command_that_is_named_has_a_help_and_the_options_given(line: str) -> None:
    words = shlex.split(line, comments=True)
    command: Any = get_command(app)
    path = []
    while words and words[0] in getattr(command, "commands", {}):
        path.append(words.pop(0))
        command = command.commands[path[-1]]

    assert not (words and hasattr(command, "commands")), f"{words[0]} is no command"
    options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options | {"--help"}
    assert CliRunner().invoke(app, [*path, "--help"]).exit_code == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {match[1] for piece in code(page) if (match := re.match(r"make ([a-z-]+)", piece))}

    assert named <= targets


def test_the_table_of_result_codes_is_complete() -> None:
    assert set(ResultCode) <= set(first_cells(section("The API")))


def test_the_table_of_dead_causes_names_those_that_can_occur() -> None:
    sources = [text_of(path) for path in (ROOT / "worker").rglob("*.py")]
    used = {cause for cause in DeadCause if any(f"DeadCause.{cause.name}" in source for source in sources)}

    named = set(re.findall(r"^\| `([A-Z]+)` \|", text_of(ROOT / "docs/runbooks/dead-letters.md"), re.MULTILINE))

    assert named == used


def test_the_table_of_metrics_is_complete() -> None:
    figures = asyncio.run(FakeFigures(FakeLedger()).read())
    told = re.findall(r"^# TYPE (\w+) (\w+)", render(figures, "")[0].decode(), re.MULTILINE)

    rows = re.findall(r"^\| `(tidings_\w+).*?` \| (\w+) \|", text_of(ROOT / "docs/runbooks/metrics.md"), re.MULTILINE)

    assert sorted(rows) == sorted(told)


def test_alerts_name_metrics_that_exist_and_runbooks_that_are_there() -> None:
    page = text_of(ROOT / "docs/runbooks/metrics.md")
    tables, _, alerts = page.partition("## Alerts")

    assert set(re.findall(r"tidings_\w+", alerts)) <= set(re.findall(r"tidings_\w+", tables))
    assert all((ROOT / named).exists() for named in re.findall(r"runbook: (\S+)\}", alerts))


def test_the_simulators_behaviours_are_all_named() -> None:
    (listed,) = re.findall(r"All behaviours are (.*?);", section("The gateway simulator"), re.DOTALL)

    assert set(re.findall(r"`(\w+)`", listed)) == set(SCRIPTABLE)


def test_the_scripts_that_are_shown_can_be_played() -> None:
    scripts = re.findall(r"^\| `(sim-[^`]+)` \|", section("The gateway simulator"), re.MULTILINE)

    assert scripts
    assert all(behaviour_of(script).kind in SCRIPTABLE.values() for script in scripts)


def test_every_log_event_that_is_named_is_logged() -> None:
    said = "\n".join(text_of(path) for package in ("worker", "api_adapter") for path in (ROOT / package).rglob("*.py"))
    events = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", section("Tour for SREs: five minutes")))
    for page in (ROOT / "docs/runbooks").glob("*.md"):
        events |= set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text_of(page)))

    assert events - {"messages_left"}
    assert {event for event in events if f'"{event}"' not in said and f"{event}=" not in said} == set()


def test_every_fault_and_column_of_the_drills_is_explained() -> None:
    explained = set(first_cells(text_of(ROOT / "docs/drills.md")))

    assert {fault.name for fault in CATALOGUE} <= explained
    assert {heading.removesuffix(", s") for heading in HEADINGS} - {"fault", "S", "F", "U"} <= explained


def test_the_table_of_drills_is_that_of_the_recorded_run_which_kept_the_rule() -> None:
    rows = json.loads(text_of(ROOT / "benchmarks/results/drill.json"))

    assert [row["fault"] for row in rows] == [fault.name for fault in CATALOGUE]
    assert all(row["ok"] for row in rows)
    assert "\n".join(markdown(rows)) in section("Drills")


def test_the_place_of_the_figures_is_marked() -> None:
    assert re.search(r"^<!-- figures -->\n.+?^<!-- /figures -->$", text_of(README), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", MEASURED_PAGES, ids=lambda page: page.name)
def test_the_figures_are_those_that_were_measured(page: Path) -> None:
    assert text_of(page) == rendered(page), "write them anew: .venv/bin/python -m benchmarks render"


def test_the_charts_show_what_was_measured() -> None:
    assert {path: text_of(path) for path in charts()} == charts()


def test_the_dead_letter_that_the_tour_shows_is_made_there() -> None:
    tour = section("Tour for SREs: five minutes")
    shown = re.search(r"^tidings dlq show (\S+) --app-id", tour, re.MULTILINE)

    assert shown is not None
    assert f'"requestId": "{shown[1]}"' in tour[: shown.start()]


def test_keys_are_made_without_noise() -> None:
    makings = re.findall(r"^ *openssl genpkey .*$", text_of(README), re.MULTILINE)

    assert makings
    assert all(line.endswith(" 2>/dev/null") for line in makings)
