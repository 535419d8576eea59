from worker.adapters.celery.turns import SingleFirst


def test_single_is_asked_for_first_nine_times_in_ten_and_bulk_the_tenth() -> None:
    cycle = SingleFirst(["single", "bulk"])

    firsts = [cycle.consume(2)[0] for _ in range(20)]

    assert firsts == (["single"] * 9 + ["bulk"]) * 2


def test_every_queue_is_asked_for_each_time() -> None:
    cycle = SingleFirst(["single", "bulk"])

    assert {frozenset(cycle.consume(2)) for _ in range(20)} == {frozenset({"single", "bulk"})}
    assert SingleFirst([]).consume(0) == []
