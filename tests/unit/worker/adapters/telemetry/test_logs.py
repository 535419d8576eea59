import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal

import orjson
import pytest
import structlog

from tests.samples import send_fields
from worker.adapters.telemetry.logs import configure_logs
from worker.contract.parsing import parse
from worker.contract.send_request import SendRequest

SECRET = "s3cr3t-text-of-a-user"
NOISY = ("celery.worker.strategy", "celery.app.trace")
LEVELS = ["debug", "info", "warning", "error"]

Entries = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put this process' logs back as they were."""
    root, config = logging.root, structlog.get_config()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in (None, *NOISY)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def entries(capsys: pytest.CaptureFixture[str]) -> Entries:
    """Return a reader of what was logged in JSON since the last reading."""

    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    return read


def ours(level: str = "info", log_format: Literal["json", "console"] = "json") -> Any:  # noqa: ANN401 - as structlog's
    """Return a logger of ours after configuring the process."""
    configure_logs(log_format, level)
    return structlog.get_logger("tidings.test")


def break_down(text: str) -> None:
    """Raise from a frame that holds a user's text."""
    parameters = {"who": text}
    raise ValueError("a bug" if parameters else "")


def test_an_event_is_one_json_object_a_line_with_its_fields(entries: Entries) -> None:
    ours().warning("claim_failed", messages=3, reason="two\nlines 収到 😀")

    (entry,) = entries()
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "claim_failed",
        "messages": 3,
        "reason": "two\nlines 収到 😀",
        "level": "warning",
        "logger": "tidings.test",
        "pid": os.getpid(),
    }


def test_lines_of_other_libraries_have_the_same_shape(entries: Entries) -> None:
    ours().info("ready")
    logging.getLogger("kombu").error("lost %s of %d", "one", 2)

    mine, theirs = entries()
    assert theirs.keys() == mine.keys()
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("lost one of 2", "kombu", "error")


@pytest.mark.parametrize("library", [None, "celery"])
def test_a_traceback_shows_where_and_why_but_no_local_variable(entries: Entries, library: str | None) -> None:
    log = ours() if library is None else (ours(), logging.getLogger(library))[1]
    try:
        break_down(SECRET)
    except ValueError:
        log.exception("broke")

    (entry,) = entries()
    (exception,) = entry["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "a bug")
    assert exception["frames"][-1]["name"] == "break_down"
    assert not any("locals" in frame for frame in exception["frames"])
    assert SECRET not in json.dumps(entry)


def test_a_chain_of_causes_is_told(entries: Entries) -> None:
    log = ours()
    try:
        try:
            break_down("text")
        except ValueError as error:
            raise RuntimeError("second") from error
    except RuntimeError:
        log.exception("broke")

    (entry,) = entries()
    assert [exception["exc_type"] for exception in entry["exception"]] == ["RuntimeError", "ValueError"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("library", [None, "kombu"])
def test_nothing_below_the_level_is_logged(entries: Entries, library: str | None, level: str) -> None:
    mine = ours(level)
    log = mine if library is None else logging.getLogger(library)
    for name in LEVELS:
        getattr(log, name)("x")

    assert [entry["level"] for entry in entries()] == LEVELS[LEVELS.index(level) :]


@pytest.mark.parametrize(("level", "seen"), [("info", []), ("debug", list(NOISY))])
def test_celerys_line_a_task_is_seen_only_when_debugging(entries: Entries, level: str, seen: list[str]) -> None:
    ours(level)
    for name in NOISY:
        logging.getLogger(name).info("a task")

    assert [entry["logger"] for entry in entries()] == seen


def test_celerys_warnings_about_tasks_are_seen(entries: Entries) -> None:
    ours()
    for name in NOISY:
        logging.getLogger(name).warning("unknown task")

    assert [entry["logger"] for entry in entries()] == list(NOISY)


def test_for_people_a_line_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    ours(log_format="console").info("ready", port=8080)

    (line,) = capsys.readouterr().err.splitlines()
    assert "ready" in line
    assert "port=8080" in line
    assert "\x1b" not in line


def test_configuring_twice_does_not_double_the_lines(entries: Entries) -> None:
    ours()
    ours().info("once")

    assert len(entries()) == 1


def test_what_is_said_again_at_once_is_left_out(entries: Entries) -> None:
    configure_logs("json", "info")
    log = structlog.get_logger("test")

    for _ in range(100):
        log.warning("intake_unknown", reason="Redis is away")
    log.warning("intake_unknown", reason="Redis is full")

    assert [line["reason"] for line in entries()] == ["Redis is away", "Redis is full"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_request_that_is_bound_to_an_event_is_logged_without_its_token(
    capsys: pytest.CaptureFixture[str], log_format: Literal["json", "console"]
) -> None:
    request = parse(SendRequest, orjson.dumps(send_fields(accessToken=SECRET)))
    log = ours(log_format=log_format).bind(request=request)

    log.info("taken", requests=[request], by_id={"r": request})
    logging.getLogger("kombu").warning("saw %s and %r", request, (request,))

    written = capsys.readouterr().err
    assert written.count("request_id=") == 5
    assert SECRET not in written


def test_for_people_a_traceback_shows_where_and_why_but_no_local_variable(capsys: pytest.CaptureFixture[str]) -> None:
    log = ours(log_format="console")
    try:
        break_down(SECRET)
    except ValueError:
        log.exception("broke")

    written = capsys.readouterr().err
    assert "break_down" in written
    assert "a bug" in written
    assert SECRET not in written
