"""What `make` says, and when `make wheel` builds anew: its own rules, with a compiler that only copies."""

import os
import pty
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
SOURCES = ("worker/a.py", "worker/part/b.py", "api_adapter/c.py")
WITHOUT_ENVIRONMENT = ("BIN=programs", "RUNTIME=runtime", "DEVELOPMENT=development", "PIP=true install")


class Checkout:
    """A checkout of a few files, with the Makefile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._programs = path / "programs"
        shutil.copy(ROOT / "Makefile", path)
        # The stamps of the environments come last: they are newer than what those are made from.
        for name in (*LOCKS, *SOURCES, "pyproject.toml", "README.md", "LICENSE", "runtime", "development"):
            self.write(name, name)
        self.write("programs/cc", "#!/bin/sh\n")
        self.write("programs/python", "#!/bin/sh\ncp -R build/source build/compiled\n")
        for program in self._programs.iterdir():
            program.chmod(0o755)

    def at(self, name: str) -> Path:
        return self._path / name

    def write(self, name: str, text: str) -> None:
        self.at(name).parent.mkdir(parents=True, exist_ok=True)
        self.at(name).write_text(text)

    def builds(self) -> bool:
        """Make the wheel; return whether anything was built for it."""
        stamp = self.at("build/compiled/.built")
        before = stamp.stat().st_mtime_ns if stamp.exists() else 0
        subprocess.run(
            ["make", "wheel", *WITHOUT_ENVIRONMENT],  # noqa: S607 - wherever it lies
            cwd=self._path,
            check=True,
            capture_output=True,
            env={**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}"},
        )
        return stamp.stat().st_mtime_ns > before

    def compiled(self) -> set[str]:
        built = self.at("build/compiled")
        return {str(path.relative_to(built)) for path in built.rglob("*.py")}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    found = Checkout(tmp_path)
    assert found.builds()
    assert found.compiled() == set(SOURCES)
    return found


def test_nothing_is_built_where_nothing_but_times_changed(checkout: Checkout) -> None:
    assert not checkout.builds()
    checkout.at("worker/a.py").touch()
    checkout.write("worker/__pycache__/a.pyc", "of Python's own")
    assert not checkout.builds()


@pytest.mark.parametrize(
    ("change", "compiled"),
    [
        (lambda one: one.write("worker/a.py", "changed"), set(SOURCES)),
        (lambda one: one.at("worker/a.py").unlink(), {"worker/part/b.py", "api_adapter/c.py"}),
        (
            lambda one: one.at("worker/a.py").rename(one.at("worker/z.py")),
            {"worker/z.py", "worker/part/b.py", "api_adapter/c.py"},
        ),
    ],
    ids=["changed", "removed", "renamed"],
)
def test_a_wheel_is_built_anew_of_the_sources_that_are_there(
    checkout: Checkout, change: Callable[[Checkout], object], compiled: set[str]
) -> None:
    change(checkout)

    assert checkout.builds()
    assert checkout.compiled() == compiled
    assert not checkout.builds()


def helped(stdout: int, **environment: str) -> None:
    # A `make` that runs the tests says in MAKEFLAGS that this one is below it.
    usual = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", "help"], cwd=ROOT, check=True, stdout=stdout, env=usual | environment)  # noqa: S607


def test_the_help_is_broken_between_words_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    with (tmp_path / "help").open("w") as file:
        helped(file.fileno())
    ours, theirs = pty.openpty()
    try:
        helped(theirs, COLUMNS="60")
        folded = os.read(ours, 65_536).decode().split("\r\n")
    finally:
        os.close(ours)
        os.close(theirs)

    lines = (tmp_path / "help").read_text().splitlines()
    assert all(line.startswith("  make ") for line in lines)
    assert max(map(len, lines)) > 60 >= max(map(len, folded))
    assert " ".join(folded).split() == " ".join(lines).split()
