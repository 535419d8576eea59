"""`tidings drill` at its edges; what it plays is tested in tests/acceptance/test_drill.py."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api_adapter.cli.main import app
from api_adapter.drill import store
from api_adapter.drill.faults import CATALOGUE
from worker.adapters.redis.valkey_server import EmbeddedValkeyError


def drill(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["drill", *arguments], env={"TIDINGS_DATA_DIR": str(directory)})


def test_every_fault_is_listed_and_explained(tmp_path: Path) -> None:
    listed = drill(tmp_path, "--list").stdout

    assert [line.split()[0] for line in listed.splitlines()[1:]] == [fault.name for fault in CATALOGUE]
    assert all(fault.says in listed for fault in CATALOGUE)


def test_names_are_different_and_none_is_that_of_all() -> None:
    names = [fault.name for fault in CATALOGUE]

    assert len({*names, "all"}) == len(names) + 1


@pytest.mark.parametrize("arguments", [(), ("no-such-fault",), ("all", "no-such-fault")])
def test_what_can_be_played_is_told_to_whoever_names_nothing_or_something_else(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    refused = drill(tmp_path, *arguments)

    assert refused.exit_code == 2
    assert refused.stderr.startswith("tidings: name one or more of child-before-claim, ")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def without_valkey(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing can be played."""

    def no_binary() -> Path:
        raise EmbeddedValkeyError("there is none here")

    monkeypatch.setattr(store, "valkey_binary", no_binary)


@pytest.mark.usefixtures("without_valkey")
def test_a_fault_that_can_not_be_played_is_told_breaks_the_rule_and_its_data_is_kept(tmp_path: Path) -> None:
    result = drill(tmp_path, "worker-killed", "--json")

    assert result.exit_code == 1
    [row] = json.loads(result.stdout)
    assert (row["fault"], row["ok"]) == ("worker-killed", False)
    assert row["problems"] == ["could not be played: there is none here"]
    [kept] = (tmp_path / "drill").iterdir()
    assert f"Data and logs are kept in {kept}" in result.stderr


@pytest.mark.usefixtures("without_valkey")
def test_for_people_there_is_a_table(tmp_path: Path) -> None:
    head, line = drill(tmp_path, "poison").stdout.splitlines()

    assert head.split()[:3] == ["fault", "accepted", "delivered"]
    assert line.split() == ["poison", *"000000000000"[:10], "0.0", "-"]
