from worker.recent import Recent


def test_the_value_that_nobody_asked_for_the_longest_is_dropped() -> None:
    recent = Recent[str, int](2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    recent.get("a")

    recent.keep("c", 3)

    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_a_value_kept_again_replaces_the_old_one() -> None:
    recent = Recent[str, int](2)
    recent.keep("a", 1)
    recent.keep("b", 2)

    recent.keep("a", 3)
    recent.keep("c", 4)

    assert [recent.get(key) for key in "abc"] == [3, None, 4]


def test_a_dropped_key_is_gone_and_an_unknown_one_may_be_dropped() -> None:
    recent = Recent[str, int](2)
    recent.keep("a", 1)

    recent.drop("a")
    recent.drop("b")

    assert recent.get("a") is None
