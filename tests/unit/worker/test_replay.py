"""Choosing dead letters, counting them, and replaying them at a pace, on the model of the ledger."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import pytest
from typing_extensions import override

from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.ledger import FakeLedger
from tests.ledger_driver import DAY, dead, learnt, new_message
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery, Replayed
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.replay import Chosen, Interventions, Matching, Named, Pace, Rehearsal, ReplayOrder

S, F, U = DeliveryState.S, DeliveryState.F, DeliveryState.U
ALL = Matching(DeadLetterQuery())
ORDER = ReplayOrder("run-1", DAY)


class FakeReceipt:
    """Implements `worker.replay.Receipt` in memory."""

    def __init__(self, known: Sequence[str] = ()) -> None:
        self.known = set(known)
        self.notes: list[tuple[str, str]] = []

    def knows(self, message_id: str) -> bool:
        return message_id in self.known

    def trying(self, letters: Sequence[DeadLetter]) -> None:
        self.notes += [("trying", letter.request_id) for letter in letters]

    def replayed(self, letters: Sequence[DeadLetter], results: Sequence[Replayed]) -> None:
        self.notes += [(result.name, letter.request_id) for letter, result in zip(letters, results, strict=True)]

    def absent(self, message_ids: Sequence[str]) -> None:
        self.notes += [("absent", message_id) for message_id in message_ids]


class Stand:
    """A ledger with dead letters r0, r1 ...: their states are PUSH's and INBOX's."""

    def __init__(self) -> None:
        self.ledger = FakeLedger(shards=1)
        self.letters = FakeDeadLetters(self.ledger)
        self.interventions = Interventions(self.letters, FakeClock())

    async def bury(self, *states: tuple[DeliveryState, DeliveryState]) -> None:
        messages = [new_message(f"r{index}", channels=tuple(Channel)) for index in range(len(states))]
        await self.ledger.accept("shop", Lane.BULK, messages)
        for message, (push, inbox) in zip(messages, states, strict=True):
            self.ledger.now += 1
            (claim,) = await self.ledger.claim(0, [message.message_id], "claim-1")
            await self.ledger.settle([dead(claim, learnt(push, "BUSY"), learnt(inbox, "BUSY", "", Channel.INBOX))])


def play(story: Callable[[Stand], Coroutine[None, None, None]]) -> None:
    asyncio.run(story(Stand()))


def id_of(request_id: str) -> str:
    return new_message(request_id).message_id


def test_a_rehearsal_counts_what_would_be_sent_and_changes_nothing() -> None:
    async def story(stand: Stand) -> None:
        await stand.bury((F, S), (U, F), (S, S))
        before = await stand.ledger.tallies()

        rehearsal = await stand.interventions.rehearse(ALL)

        assert rehearsal == Rehearsal(letters=3, failed=2, unanswered=1, delivered=3, suppressed=1)
        assert rehearsal.to_send == 3
        assert await stand.ledger.tallies() == before

    play(story)


def test_named_messages_that_are_no_dead_letters_are_counted_apart() -> None:
    async def story(stand: Stand) -> None:
        await stand.bury((F, S))

        rehearsal = await stand.interventions.rehearse(Named((id_of("r0"), id_of("nobody"), id_of("r0"))))

        assert (rehearsal.letters, rehearsal.absent) == (1, [id_of("nobody")])

    play(story)


def test_every_letter_is_noted_before_and_after_it_is_replayed() -> None:
    async def story(stand: Stand) -> None:
        await stand.bury((F, S), (S, S))
        receipt = FakeReceipt()

        await stand.interventions.replay(Named((id_of("r0"), id_of("r1"), id_of("x"))), ORDER, receipt)

        assert receipt.notes == [
            ("absent", id_of("x")),
            ("trying", "r0"),
            ("trying", "r1"),
            ("SENT", "r0"),
            ("SUPPRESSED", "r1"),
        ]

    play(story)


@pytest.mark.parametrize("selection", [ALL, Named((id_of("r0"), id_of("r1")))])
def test_what_the_receipt_knows_is_left_alone(selection: Matching | Named) -> None:
    async def story(stand: Stand) -> None:
        await stand.bury((F, S), (F, S))
        receipt = FakeReceipt(known=[id_of("r0")])

        await stand.interventions.replay(selection, ORDER, receipt)

        assert receipt.notes == [("trying", "r1"), ("SENT", "r1")]

    play(story)


def test_all_pages_of_a_query_are_replayed() -> None:
    async def story(stand: Stand) -> None:
        await stand.bury(*[(F, S)] * 25)

        await stand.interventions.replay(ALL, ReplayOrder("run-1", DAY, rate=40_000), FakeReceipt())
        await stand.interventions.replay(ALL, ReplayOrder("run-1", DAY), receipt := FakeReceipt())

        assert receipt.notes == []
        assert all(record.dead_at is None for record in stand.ledger.records.values())

    play(story)


def test_a_discard_tells_what_it_let_go_and_what_was_no_dead_letter() -> None:
    async def story(stand: Stand) -> None:
        await stand.bury((F, S), (U, U))
        selection = Named((id_of("r1"), id_of("x"), id_of("r0")))

        done = [chosen async for chosen in stand.interventions.discard(selection, "run-1", "no use")]

        ((letters, absent),) = [(chosen.letters, chosen.absent) for chosen in done]
        assert ([letter.request_id for letter in letters], absent) == (["r1", "r0"], (id_of("x"),))

    play(story)


def test_a_letter_that_another_one_replays_meanwhile_is_not_discarded() -> None:
    class Overtaken(FakeDeadLetters):
        @override
        async def find(self, message_ids: Sequence[str]) -> list[DeadLetter | None]:
            found = await super().find(message_ids)
            await self.replay([letter for letter in found if letter], "run-2", DAY)
            return found

    async def story(stand: Stand) -> None:
        await stand.bury((F, S))
        interventions = Interventions(Overtaken(stand.ledger), FakeClock())

        done = [chosen async for chosen in interventions.discard(Named((id_of("r0"),)), "run-1", "no use")]

        assert done == [Chosen((), (id_of("r0"),))]

    play(story)


@pytest.mark.parametrize(("rate", "at_once"), [(None, 1_000), (1, 1), (8, 2), (100, 25), (100_000, 1_000)])
def test_a_rate_is_spread_over_its_second(rate: int | None, at_once: int) -> None:
    assert Pace(rate).at_once == at_once


@pytest.mark.parametrize(
    ("rate", "done", "seconds", "rest"),
    [(None, 1_000, 0.0, 0.0), (10, 20, 0.5, 1.5), (10, 20, 3.0, 0.0)],
)
def test_a_pace_rests_as_long_as_it_is_ahead_of_its_rate(
    rate: int | None, done: int, seconds: float, rest: float
) -> None:
    assert Pace(rate).rest(done, seconds) == rest
