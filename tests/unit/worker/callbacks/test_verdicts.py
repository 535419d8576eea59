import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.callbacks.ports import Reply
from worker.callbacks.verdicts import CallbackPolicy, backoff, judge
from worker.contract.callbacks import CallbackVerdict, DueCallback, FinalMessage, OutcomeKey

POLICY = CallbackPolicy(backoff_base=1_000, backoff_cap=60_000, give_up=1_000_000)
SINCE = 5_000_000
DAY = 86_400_000


def due(tries: int = 0) -> DueCallback:
    return DueCallback(FinalMessage(OutcomeKey("shop", "id", 1), "r1", 0, 0, ()), 0, SINCE, tries)


def reply(status: int | None, retry_after: int | None = None) -> Reply:
    return Reply(status, "TIMEOUT" if status is None else f"HTTP {status}", retry_after)


def after(answer: Reply, tries: int = 0, now: int = SINCE, draw: float = 0.5) -> tuple[CallbackVerdict, int]:
    settlement = judge(due(tries), answer, POLICY, now, lambda: draw)
    assert (settlement.tries, settlement.detail) == (1, answer.detail)
    return settlement.verdict, settlement.delay


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert after(reply(status)) == (CallbackVerdict.DELIVERED, 0)


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 429, 500, 502, 503, 504])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert after(reply(status)) == (CallbackVerdict.RETRY, 500)


def test_gone_is_given_up_at_once() -> None:
    assert after(reply(410)) == (CallbackVerdict.DEAD, 0)


@pytest.mark.parametrize(("asked", "delay"), [(0, 500), (499, 500), (501, 501), (700_000, 700_000)])
def test_retry_after_makes_the_wait_longer_and_never_shorter(asked: int, delay: int) -> None:
    assert after(reply(503, asked)) == (CallbackVerdict.RETRY, delay)


def test_more_than_a_day_is_not_waited() -> None:
    patient = CallbackPolicy(1_000, 60_000, give_up=10 * DAY)

    assert judge(due(), reply(503, 30 * DAY), patient, SINCE, lambda: 0.5).delay == DAY


@pytest.mark.parametrize(
    ("late", "verdict"), [(999_499, "retry"), (999_500, "retry"), (999_501, "dead"), (2_000_000, "dead")]
)
def test_it_is_given_up_when_its_next_try_would_be_too_late(late: int, verdict: str) -> None:
    assert after(reply(500), now=SINCE + late)[0] == verdict


def test_what_is_delivered_late_is_delivered() -> None:
    assert after(reply(200), now=SINCE + 10 * DAY)[0] is CallbackVerdict.DELIVERED


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_back_off_doubles_up_to_its_cap_with_full_jitter(failures: int, draw: float) -> None:
    bound = min(1_000 * 2**failures, 60_000)

    assert 0 <= backoff(failures, POLICY, lambda: draw) <= bound
    assert backoff(failures, POLICY, lambda: 0.5) == bound // 2
