from worker.callbacks.merchants import AHEAD, InHand, Merchant
from worker.callbacks.ports import Reply
from worker.contract.callbacks import DueCallback, FinalMessage, OutcomeKey

OK, BAD, BUSY = Reply(200, "HTTP 200"), Reply(500, "HTTP 500"), Reply(503, "HTTP 503", 9_000)


def held(number: int, deadline: float = 100.0) -> InHand:
    return InHand(DueCallback(FinalMessage(OutcomeKey("shop", str(number), 1), "r", 0, 0, ()), 0, 0, 0), deadline)


def half() -> float:
    return 0.5


def test_a_merchant_gets_as_many_calls_at_once_as_it_may_have() -> None:
    merchant = Merchant(2)
    merchant.waiting.extend(map(held, range(3)))

    for number in (0, 1):
        found = merchant.next(0)
        assert found is not None
        assert found.callback.key.subject == str(number)
        merchant.in_flight += 1
    assert merchant.next(0) is None
    merchant.in_flight -= 1
    assert merchant.next(0) == held(2)


def test_failures_halve_its_calls_at_once_down_to_one_and_successes_add_one() -> None:
    merchant = Merchant(8)
    seen = []
    for reply in (BAD, BAD, BAD, BAD, OK, OK):
        merchant.heard(reply, 0, half)
        seen.append(merchant.at_once)

    assert seen == [4, 2, 1, 1, 2, 3]
    for _ in range(10):
        merchant.heard(OK, 0, half)
    assert merchant.at_once == 8


def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    merchant = Merchant(8)
    merchant.waiting.append(held(1))

    assert merchant.heard(BUSY, 10.0, half) == 9_000

    assert merchant.next(18.9) is None
    assert merchant.room(18.9) == 0
    assert merchant.next(19.0) == held(1)
    assert merchant.room(19.0) == 4 * AHEAD


def test_after_five_failures_in_a_row_it_is_left_alone_longer_and_longer_up_to_a_minute() -> None:
    merchant = Merchant(8)
    pauses = [merchant.heard(BAD, 0, lambda: 0.999) for _ in range(16)]

    assert pauses[:4] == [0, 0, 0, 0]
    assert pauses[4:] == sorted(pauses[4:])
    assert (pauses[4], pauses[6], pauses[-1]) == (1_000, 3_996, 59_940)
    merchant.heard(OK, 100, half)
    assert merchant.heard(BAD, 100, half) == 0


def test_what_was_held_too_long_is_not_sent() -> None:
    merchant = Merchant(1)
    merchant.waiting.extend((held(1, deadline=5.0), held(2, deadline=6.0)))

    assert merchant.next(5.0) == held(2, deadline=6.0)
    assert merchant.in_hand == 0
