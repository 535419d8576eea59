import io

import pytest
from rich.console import Console

from api_adapter.demo.progress import Glance, Lines, Rate, Screen, display
from api_adapter.demo.scenario import Via
from worker.contract.messages import Channel
from worker.contract.outcomes import Tally


def glance(seconds: float, delivered: int = 0, accepted: int = 3_714) -> Glance:
    tallies = {
        Channel.PUSH: Tally(accepted - 2_000, open=accepted - 2_000),
        Channel.INBOX: Tally(2_000, S=delivered, open=2_000 - delivered),
    }
    return Glance(seconds, 2_000, {Via.HTTP: 900, Via.BATCH: 1_000}, tallies)


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_rate_is_that_of_the_last_two_seconds() -> None:
    rate = Rate()

    rates = [rate.after(glance(seconds, delivered)) for seconds, delivered in [(0, 0), (1, 100), (2, 300), (4, 900)]]

    assert rates == [0, 100, 150, 300]


def test_without_a_terminal_there_is_a_plain_line_a_second() -> None:
    console = Console(file=io.StringIO(), width=80)

    with display(console) as shown:
        for seconds in (0.0, 0.2, 0.9, 1.1, 1.3):
            shown.show(glance(seconds, int(seconds * 100)))

    assert isinstance(shown, Lines)
    assert printed(console) == [
        "   0 s  sent 1900  PUSH S 0 F 0 U 0 open 1714  INBOX S 0 F 0 U 0 open 2000  0/s",
        "   1 s  sent 1900  PUSH S 0 F 0 U 0 open 1714  INBOX S 110 F 0 U 0 open 1890  100/s",
    ]


def test_a_terminal_gets_a_table_that_is_gone_in_the_end() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)

    with display(console) as shown:
        shown.show(glance(3, 1_200))
        screen = printed(console)

    assert isinstance(shown, Screen)
    assert [line.split() for line in screen if line.startswith(("PUSH", "INBOX"))] == [
        ["PUSH", "1,714", "0", "0", "0", "1,714", "0"],
        ["INBOX", "2,000", "1,200", "0", "0", "800", "0"],
    ]
    assert any(line.startswith("sent") and line.endswith("900 HTTP, 1,000 batch") for line in screen)
    assert max(map(len, screen)) <= 80


@pytest.mark.parametrize("accepted", [2_000, 3_714])
def test_a_glance_counts_what_is_settled(accepted: int) -> None:
    assert (glance(1, 70, accepted).settled, glance(1, 70, accepted).accepted) == (70, accepted)
