import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.back_office import a_moment
from tests.fakes.clock import FakeClock
from worker.contract.messages import HintKind
from worker.gate import Gate

NORMAL, SUSPECTS, ALONE = HintKind
TURN = 1_000
"""Milliseconds of a turn."""


class Stand:
    """A gate, and hints that come to it; each takes one message in hand until it is told to leave."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.gate = Gate(self.clock)
        self.inside: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """Bring hints: those whose names begin with `n` are normal."""
        for name in names:
            self._tasks[name] = asyncio.create_task(self._enter(name))
            await a_moment(3)

    async def _enter(self, name: str) -> None:
        await self.gate.enter(NORMAL if name.startswith("n") else SUSPECTS, 1)
        self.inside.append(name)

    async def leave(self, *names: str) -> None:
        for name in names:
            self.inside.remove(name)
            self.gate.leave(1)
            await a_moment(3)

    async def go_away(self, *names: str) -> None:
        """Cancel hints that wait."""
        for name in names:
            self._tasks[name].cancel()
            await a_moment(3)


def play(story: Callable[[Stand], Awaitable[None]]) -> None:
    async def main() -> None:
        stand = Stand()
        await story(stand)
        for task in stand._tasks.values():
            task.cancel()
        await asyncio.gather(*stand._tasks.values(), return_exceptions=True)

    asyncio.run(main())


def test_normal_hints_share_the_process() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("n1", "n2", "n3")
        assert stand.inside == ["n1", "n2", "n3"]

    play(story)


def test_suspects_enter_an_empty_process_at_once() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s1")
        assert stand.inside == ["s1"]

    play(story)


def test_nobody_enters_while_suspects_are_in_hand() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s1", "n1", "s2")
        assert stand.inside == ["s1"]

    play(story)


def test_a_hint_of_one_message_alone_is_as_exclusive_as_one_of_suspects() -> None:
    async def story(stand: Stand) -> None:
        await stand.gate.enter(ALONE, 1)
        await stand.come("n1")
        assert stand.inside == []

    play(story)


def test_suspects_wait_until_the_last_normal_message_has_left() -> None:
    async def story(stand: Stand) -> None:
        await stand.gate.enter(NORMAL, 3)
        await stand.come("s1")
        stand.gate.leave(2)
        await a_moment()
        assert stand.inside == []
        stand.gate.leave(1)
        await a_moment()
        assert stand.inside == ["s1"]

    play(story)


def test_waiting_suspects_close_the_gate_when_the_normal_turn_is_over() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s0")
        await stand.leave("s0")
        await stand.come("n1", "s1")
        stand.clock.advance(TURN - 1)
        await stand.come("n2")
        assert stand.inside == ["n1", "n2"]
        stand.clock.advance(1)
        await stand.come("n3")
        assert stand.inside == ["n1", "n2"]
        await stand.leave("n1", "n2")
        assert stand.inside == ["s1"]

    play(story)


def test_suspects_follow_each_other_until_their_turn_is_over_and_then_all_that_waited_enter() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s1", "s2", "s3", "n1", "n2")
        stand.clock.advance(TURN - 1)
        await stand.leave("s1")
        assert stand.inside == ["s2"]
        stand.clock.advance(1)
        await stand.leave("s2")
        assert stand.inside == ["n1", "n2"]

    play(story)


def test_suspects_that_nobody_waits_for_go_on_beyond_their_turn() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s1", "s2")
        stand.clock.advance(5 * TURN)
        await stand.leave("s1")
        assert stand.inside == ["s2"]

    play(story)


def test_the_normal_turn_is_as_long_as_the_gate_was_closed() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("n1", "s1", "n2")
        stand.clock.advance(4 * TURN)
        await stand.leave("n1")
        await stand.come("s2")
        stand.clock.advance(6 * TURN)
        await stand.leave("s1")
        assert stand.inside == ["n2"]
        stand.clock.advance(10 * TURN - 1)
        await stand.come("n3")
        assert stand.inside == ["n2", "n3"]
        stand.clock.advance(1)
        await stand.come("n4")
        assert stand.inside == ["n2", "n3"]

    play(story)


def test_suspects_use_a_gap_although_the_normal_turn_is_not_over() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s0")
        await stand.leave("s0")
        await stand.come("n1", "s1")
        await stand.leave("n1")
        assert stand.inside == ["s1"]

    play(story)


def test_a_hint_that_goes_away_while_it_waits_keeps_nobody_out() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("n1", "s1", "n2")
        await stand.go_away("s1")
        await stand.leave("n1")
        assert stand.inside == ["n2"]
        assert stand.gate.suspects_waiting == 0

    play(story)


def test_a_hint_that_goes_away_just_when_it_is_let_in_leaves_the_gate_to_the_next() -> None:
    async def story(stand: Stand) -> None:
        await stand.come("s1", "s2", "s3")
        stand.inside.remove("s1")
        stand.gate.leave(1)
        stand._tasks["s2"].cancel()
        await a_moment()
        assert stand.inside == ["s3"]

    play(story)


STEPS = st.lists(st.sampled_from(["n", "s", "leave", "go away", "wait"]), max_size=60)


@given(STEPS, st.randoms(use_true_random=False))
def test_suspects_are_always_by_themselves_and_everybody_gets_in(steps: list[str], dice: Random) -> None:
    async def story(stand: Stand) -> None:
        for number, step in enumerate(steps):
            waiting = [name for name, task in stand._tasks.items() if not task.done()]
            if step in ("n", "s"):
                await stand.come(f"{step}{number}")
            elif step == "leave" and stand.inside:
                await stand.leave(dice.choice(stand.inside))
            elif step == "go away" and waiting:
                await stand.go_away(dice.choice(waiting))
            elif step == "wait":
                stand.clock.advance(700)
            assert len(stand.inside) == 1 or not any(name.startswith("s") for name in stand.inside)
        for _ in steps:
            await stand.leave(*list(stand.inside))
        assert all(task.done() for task in stand._tasks.values())
        assert stand.inside == []

    play(story)
