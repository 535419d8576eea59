import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PEERS = {"bench": "requirements-bench.lock", "bench-older-redis": "requirements-bench-older-redis.lock"}
LOCKS = ["requirements.lock", "requirements-build.lock", "requirements-dev.lock", *PEERS.values()]


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    entries = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return dict(entries)


def unmet(requirements: list[str], lock: str) -> list[str]:
    """Return the requirements that a lock file does not fulfil."""
    locked = pins(lock)
    parsed = [Requirement(requirement) for requirement in requirements]
    return [
        str(requirement)
        for requirement in parsed
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0.0a0"))
    ]


def extras(lock: str) -> dict[str, set[str]]:
    """Return the extras that each pin of a lock file names."""
    entries = re.findall(r"^([a-z0-9-]+)(?:\[([a-z,]+)\])?==", (ROOT / lock).read_text(), re.MULTILINE)
    return {name: {extra for extra in named.split(",") if extra} for name, named in entries}


def required_extras(packages: set[str]) -> dict[str, set[str]]:
    """Return the extras that installed packages ask of each other."""
    asked: dict[str, set[str]] = {}
    for package in packages:
        try:
            requirements = map(Requirement, requires(package) or [])
        except PackageNotFoundError:  # locked for another platform
            continue
        for one in requirements:
            if one.extras and (one.marker is None or one.marker.evaluate({"extra": ""})):
                asked.setdefault(canonicalize_name(one.name), set()).update(one.extras)
    return asked


def development_requirements() -> list[str]:
    groups = [group for name, group in PROJECT["dependency-groups"].items() if name not in PEERS]
    return [requirement for group in groups for requirement in group if isinstance(requirement, str)]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)

    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--index|--extra-index|--find-links|^ *(#.*)?/", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_pin_names_every_extra_that_another_package_asks_for(lock: str) -> None:
    # Without, pip in hash mode refuses the lock as soon as a newer release of that package is out.
    named = extras(lock)

    assert {
        name: asked - named[name] for name, asked in required_extras(set(named)).items() if asked - named[name]
    } == {}


def test_the_runtime_lock_fulfils_what_the_project_requires() -> None:
    assert unmet(PROJECT["project"]["dependencies"], "requirements.lock") == []


def test_the_build_lock_fulfils_what_a_build_requires() -> None:
    assert unmet(PROJECT["build-system"]["requires"], "requirements-build.lock") == []


def test_the_development_lock_fulfils_every_group() -> None:
    assert unmet(PROJECT["project"]["dependencies"] + development_requirements(), "requirements-dev.lock") == []


@pytest.mark.parametrize(("group", "lock"), PEERS.items())
def test_the_lock_of_the_peers_fulfils_their_group(group: str, lock: str) -> None:
    assert unmet(PROJECT["dependency-groups"][group], lock) == []


def test_tests_run_with_the_versions_that_users_get() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_the_linter_is_the_one_whose_rules_are_configured() -> None:
    assert PROJECT["tool"]["ruff"]["required-version"] == f"=={pins('requirements-dev.lock')['ruff']}"


def test_the_wheel_carries_every_file_of_both_packages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    expected = {
        str(path.relative_to(ROOT))
        for package in ("worker", "api_adapter")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())

    assert expected <= packed
    assert any(name.endswith(".lua") for name in packed)
