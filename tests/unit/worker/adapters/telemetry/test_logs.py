"""Logs of a process of its own, since they are configured for a whole process."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging, structlog
from worker.adapters.telemetry.logs import configure_logs
configure_logs({log_format!r}, {level!r})
log = structlog.get_logger("tidings.test")
"""
SECRET = "s3cr3t-text-of-a-user"


def logged(program: str, log_format: str = "json", level: str = "info") -> list[str]:
    """Return the lines that a program logs."""
    whole = PROGRAM.format(log_format=log_format, level=level) + program
    run = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    return run.stderr.splitlines()


def entries(program: str, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged(program, level=level)]


def test_an_event_is_one_json_object_a_line_with_its_fields() -> None:
    (entry,) = entries("log.warning('claim_failed', messages=3, reason='two\\nlines 収到 😀')")

    assert {name: entry[name] for name in ("event", "messages", "reason", "level", "logger")} == {
        "event": "claim_failed",
        "messages": 3,
        "reason": "two\nlines 収到 😀",
        "level": "warning",
        "logger": "tidings.test",
    }
    assert entry["timestamp"].endswith("Z")
    assert isinstance(entry["pid"], int)


def test_lines_of_other_libraries_have_the_same_shape() -> None:
    ours, theirs = entries("log.info('ready')\nlogging.getLogger('kombu').error('lost %s of %d', 'one', 2)")

    assert theirs.keys() == ours.keys()
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("lost one of 2", "kombu", "error")


@pytest.mark.parametrize(
    "program",
    [
        "log.exception('broke')",
        "logging.getLogger('celery').exception('broke')",
        "logging.getLogger('asyncio').error('broke', exc_info=True)",
    ],
)
def test_a_traceback_shows_where_and_why_but_no_local_variable(program: str) -> None:
    lines = f"""
def deliver(text):
    parameters = {{"who": text}}
    raise ValueError("a bug")
try:
    deliver({SECRET!r})
except ValueError:
    {program}
"""

    (entry,) = entries(lines)

    (exception,) = entry["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "a bug")
    assert [frame["name"] for frame in exception["frames"]] == ["<module>", "deliver"]
    assert SECRET not in json.dumps(entry)
    assert "locals" not in exception["frames"][0]


def test_a_chain_of_causes_is_told() -> None:
    lines = """
try:
    try:
        raise KeyError("first")
    except KeyError as error:
        raise RuntimeError("second") from error
except RuntimeError:
    log.exception("broke")
"""

    (entry,) = entries(lines)

    assert [exception["exc_type"] for exception in entry["exception"]] == ["RuntimeError", "KeyError"]


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
@pytest.mark.parametrize("logger", ["log", "logging.getLogger('kombu')"])
def test_nothing_below_the_level_is_logged(logger: str, level: str, seen: list[str]) -> None:
    program = "".join(f"{logger}.{name}('x')\n" for name in ("debug", "info", "warning", "error"))

    assert [entry["level"] for entry in entries(program, level)] == seen


@pytest.mark.parametrize(("level", "seen"), [("info", []), ("debug", ["received", "succeeded"])])
def test_celerys_line_a_task_is_seen_only_when_debugging(level: str, seen: list[str]) -> None:
    program = """
logging.getLogger("celery.worker.strategy").info("received")
logging.getLogger("celery.app.trace").info("succeeded")
"""

    assert [entry["event"] for entry in entries(program, level)] == seen


def test_celerys_warnings_and_errors_are_always_seen() -> None:
    program = """
logging.getLogger("celery.worker.strategy").warning("unknown task")
logging.getLogger("celery.app.trace").error("failed")
"""

    assert [entry["event"] for entry in entries(program)] == ["unknown task", "failed"]


def test_for_people_a_line_is_text() -> None:
    (line,) = logged("log.info('ready', port=8080)", "console")

    assert "ready" in line
    assert "port=8080" in line
    assert "\x1b" not in line


def test_configuring_twice_does_not_double_the_lines() -> None:
    lines = logged("configure_logs('json', 'info')\nlogging.getLogger('kombu').error('once')")

    assert len(lines) == 1
