import pytest
import structlog

from tests.fakes.clock import FakeClock
from worker.adapters.telemetry.repeats import Repeats


class Log:
    """What is said of each line; None: nothing."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._repeats = Repeats(self.clock.monotonic)

    def said(self, level: str = "warning", **event: object) -> dict[str, object] | None:
        try:
            return dict(self._repeats(None, level, event))
        except structlog.DropEvent:
            return None


@pytest.mark.parametrize(("milliseconds", "is_said"), [(0, False), (999, False), (1_000, True), (1_001, True)])
def test_the_same_line_is_said_once_a_second(milliseconds: int, is_said: bool) -> None:  # noqa: FBT001
    log = Log()
    assert log.said(event="intake_unknown", reason="away") == {"event": "intake_unknown", "reason": "away"}

    log.clock.advance(milliseconds)

    assert (log.said(event="intake_unknown", reason="away") is not None) == is_said


def test_how_many_were_left_out_is_said_with_the_next() -> None:
    log = Log()
    for _ in range(8_000):
        log.said(event="intake_unknown")
    log.clock.advance(1_000)

    assert log.said(event="intake_unknown") == {"event": "intake_unknown", "repeated": 7_999}
    log.clock.advance(1_000)
    assert log.said(event="intake_unknown") == {"event": "intake_unknown"}


def test_lines_that_differ_in_anything_are_all_said() -> None:
    log = Log()

    lines = [log.said(event="message_is_poison", message_id=one) for one in ("a", "b")]
    lines += [log.said(event="message_is_poison", message_id="a", crashes=[3]), log.said("error", event="x")]
    lines += [log.said("warning", event="x")]

    assert None not in lines


def test_only_so_many_lines_are_remembered() -> None:
    log = Log()
    log.said(event="first")
    for number in range(1_000):
        log.said(event="other", number=number)

    assert log.said(event="first") is not None


def test_a_line_with_a_traceback_is_always_said() -> None:
    log = Log()

    assert all(log.said("error", event="delivery_broke", exc_info=True) for _ in range(2))
