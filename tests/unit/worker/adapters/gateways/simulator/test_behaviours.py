"""Scripts: what they mean, when they end, and what is no script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.gateways import simulator
from worker.adapters.gateways.simulator.behaviours import (
    DEFAULT_VALUES,
    DELIVER,
    MAY_ACT,
    MISTYPED,
    SCRIPTABLE,
    Behaviour,
    BehaviourError,
    Kind,
    behaviour_of,
    first_call_wide,
    parse_script,
)


@st.composite
def behaviours(draw: st.DrawFn) -> Behaviour:
    """Every behaviour that a script can name."""
    kind = draw(st.sampled_from([kind for kind in SCRIPTABLE.values() if kind is not Kind.DELIVER]))
    value = draw(st.integers(0, 100)) if kind in DEFAULT_VALUES else 0
    times = draw(st.none() | st.integers(0, 999))
    acts = kind in MAY_ACT and draw(st.booleans())
    return Behaviour(kind, value, times, acts)


@given(behaviours())
def test_every_script_is_read_as_the_behaviour_that_wrote_it(behaviour: Behaviour) -> None:
    assert parse_script(behaviour.script) == behaviour


@given(st.text(max_size=32))
def test_a_customer_id_that_does_not_begin_with_sim_is_delivered_to(customer_id: str) -> None:
    assert behaviour_of(f"2{customer_id}") is DELIVER


@given(st.text(max_size=28))
def test_any_text_after_sim_is_a_script_or_mistyped_and_never_an_error(text: str) -> None:
    assert isinstance(behaviour_of(f"sim-{text}"), Behaviour)


@pytest.mark.parametrize(
    ("customer_id", "expected"),
    [
        ("sim-deliver-ann", DELIVER),
        ("sim-fail", Behaviour(Kind.FAIL)),
        ("sim-retry-2-ann", Behaviour(Kind.RETRY, times=2)),
        ("sim-retry-2-3-ann", Behaviour(Kind.RETRY, times=2)),
        ("sim-retry-ann-2", Behaviour(Kind.RETRY)),
        ("sim-retry-2ann", Behaviour(Kind.RETRY)),
        ("sim-429-ann", Behaviour(Kind.TOO_MANY, value=1)),
        ("sim-429-5-3-ann", Behaviour(Kind.TOO_MANY, value=5, times=3)),
        ("sim-503-7", Behaviour(Kind.UNAVAILABLE, value=7)),
        ("sim-500-1-7", Behaviour(Kind.BROKEN, times=1)),
        ("sim-slow-250", Behaviour(Kind.SLOW, value=250)),
        ("sim-flaky-100-ann", Behaviour(Kind.FLAKY, value=100)),
        ("sim-act-hang-1-ann", Behaviour(Kind.HANG, times=1, acts=True)),
        ("sim-", MISTYPED),
        ("sim-act", MISTYPED),
        ("sim-act-retry", MISTYPED),
        ("sim-rety-2", MISTYPED),
        ("sim-mistyped", MISTYPED),
        ("sim-flaky-101", MISTYPED),
        ("SIM-fail", DELIVER),
        ("simon-fail", DELIVER),
    ],
)
def test_a_customer_id_names_its_behaviour(customer_id: str, expected: Behaviour) -> None:
    assert behaviour_of(customer_id) == expected


@pytest.mark.parametrize("script", ["", "nothing", "sim-503", "retry-2-ann", "act-fail", "flaky-101", "503-1-2-3"])
def test_a_script_for_everybody_must_be_whole(script: str) -> None:
    with pytest.raises(BehaviourError, match=r"write .* with one of deliver, fail, retry"):
        parse_script(script)


def test_a_number_of_more_than_nine_digits_is_no_number() -> None:
    assert behaviour_of("sim-slow-1234567890") == Behaviour(Kind.SLOW, DEFAULT_VALUES[Kind.SLOW])


@given(st.integers(1, 50), st.integers(1, 100))
def test_after_its_times_a_script_delivers(times: int, turn: int) -> None:
    retry = Behaviour(Kind.RETRY, times=times)

    assert retry.at_turn(turn, "key") == (retry if turn <= times else DELIVER)


def test_a_script_without_times_never_ends() -> None:
    retry = Behaviour(Kind.RETRY)

    assert retry.at_turn(1_000_000, "key") is retry


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_flaky_strikes_its_share_of_turns(percent: int) -> None:
    flaky = Behaviour(Kind.FLAKY, percent)
    struck = [flaky.at_turn(turn, f"key{key}") is flaky for key in range(100) for turn in range(1, 21)]

    assert sum(struck) / len(struck) == pytest.approx(percent / 100, abs=0.04)


@given(st.integers(0, 100), st.integers(1, 100), st.text(max_size=64))
def test_flaky_says_the_same_of_the_same_turn(percent: int, turn: int, key: str) -> None:
    flaky = Behaviour(Kind.FLAKY, percent)

    assert flaky.at_turn(turn, key) == Behaviour(Kind.FLAKY, percent).at_turn(turn, key)


def test_the_first_call_wide_behaviour_holds() -> None:
    hang, broken = Behaviour(Kind.HANG), Behaviour(Kind.BROKEN)

    assert first_call_wide([DELIVER, Behaviour(Kind.RETRY), hang, broken]) is hang


def test_no_call_wide_behaviour_leaves_the_call_alone() -> None:
    assert first_call_wide([DELIVER, Behaviour(Kind.SLOW), MISTYPED]) is None


@pytest.mark.parametrize("kind", SCRIPTABLE.values())
def test_the_table_for_users_says_of_each_behaviour_what_it_may_have(kind: Kind) -> None:
    rows = [line for line in (simulator.__doc__ or "").splitlines() if line.startswith(f"    {kind} ")]

    assert [
        (
            str(DEFAULT_VALUES[kind]) in row if kind in DEFAULT_VALUES else not any(map(str.isdigit, row[7:28])),
            (" * " in row) is Behaviour(kind).is_call_wide,
            row.endswith("(act)") is (kind in MAY_ACT),
        )
        for row in rows
    ] == [(True, True, True)]
