import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from tests.back_office import BackOffice, OfficeHours, a_moment, notice, notices, until
from tests.fakes.ledger import FakeLedger
from worker import dispatch
from worker.adapters.redis.limits import LedgerLimits
from worker.contract.codes import ResultStatus
from worker.contract.messages import Claim, Hint, HintKind, Lane, NewMessage, Settled, Settlement

UNKNOWN = "0" * 32


class BrokenLedger(FakeLedger):
    """Has a bug in its settling."""

    @override
    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        raise RuntimeError("a bug")


def delivered(office: BackOffice, messages: Sequence[NewMessage]) -> int:
    return sum(office.outcome(message).whole.status is ResultStatus.S for message in messages)


def events(logs: Sequence[object]) -> list[object]:
    return [entry["event"] for entry in logs if isinstance(entry, dict)]


def test_what_is_taken_is_delivered() -> None:
    office, messages = BackOffice(), notices(50)

    async def play(office: BackOffice) -> None:
        await office.take(*messages)

    office.open(play)

    assert delivered(office, messages) == 50
    assert office.slots.used == 0
    assert len(office.holdings) == 0


def test_take_waits_until_slots_are_free_and_then_goes_on_by_itself() -> None:
    office, messages = BackOffice(OfficeHours(slots=20)), notices(40)

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        taking = asyncio.create_task(office.take(*messages, lane=Lane.BULK))
        await a_moment(200)
        assert not taking.done()
        assert (len(office.holdings), office.slots.used) == (18, 18)
        answer.set()
        await asyncio.wait_for(taking, 5)

    office.open(play)

    assert delivered(office, messages) == 40
    assert office.slots.used == 0


def test_a_lane_whose_gateway_hangs_leaves_the_other_lane_its_tenth() -> None:
    office, bulk, single = BackOffice(OfficeHours(slots=20)), notices(30), notice("single")

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        taking = asyncio.create_task(office.take(*bulk, lane=Lane.BULK))
        await a_moment(200)
        await asyncio.wait_for(office.take(single, lane=Lane.SINGLE), 5)
        await a_moment()
        assert office.gateway.calls[-1].message_ids == [f"{single.message_id}-PUSH", f"{single.message_id}-INBOX"]
        answer.set()
        await taking

    office.open(play)


def test_a_hint_for_more_messages_than_one_take_may_ask_for_is_split() -> None:
    claimed: list[int] = []

    class Noting(FakeLedger):
        @override
        async def claim(
            self, shard: int, message_ids: Sequence[str], claim_id: str, kind: HintKind = HintKind.NORMAL
        ) -> list[Claim]:
            claimed.append(len(message_ids))
            return await super().claim(shard, message_ids, claim_id, kind)

    office, messages = BackOffice(OfficeHours(slots=100), Noting(shards=1)), notices(25)

    async def play(office: BackOffice) -> None:
        await office.take(*messages)

    office.open(play)

    assert claimed == [10, 10, 5]
    assert delivered(office, messages) == 25


def test_messages_that_somebody_else_has_give_their_slots_back() -> None:
    office, message = BackOffice(), notice()

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        (known,) = (await office.accept([message])).message_ids
        await office.dispatcher.take(Hint(Lane.SINGLE, 0, (UNKNOWN, known)))
        await office.dispatcher.take(Hint(Lane.SINGLE, 0, (known,)))
        await a_moment()
        assert office.slots.used == 1
        answer.set()

    assert office.open(play).slots.used == 0


def test_a_ledger_that_is_away_at_the_claim_costs_no_slot_and_is_told() -> None:
    office = BackOffice()

    async def play(office: BackOffice) -> None:
        hint = await office.accept(notices(3))
        office.ledger.away = True
        await office.dispatcher.take(hint)
        await a_moment()
        assert office.slots.used == 0
        office.ledger.away = False

    with capture_logs() as logs:
        office.open(play)

    (failure,) = [entry for entry in logs if entry["event"] == "claim_failed"]
    assert failure["messages"] == 3


def test_a_chunk_that_breaks_costs_no_slot() -> None:
    class Broken(FakeLedger):
        @override
        async def claim(
            self, shard: int, message_ids: Sequence[str], claim_id: str, kind: HintKind = HintKind.NORMAL
        ) -> list[Claim]:
            raise RuntimeError("a bug")

    office = BackOffice(ledger=Broken(shards=1))

    async def play(office: BackOffice) -> None:
        await office.take(notice())
        await office.idle()

    with capture_logs() as logs:
        office.open(play)

    assert office.slots.used == 0
    assert office.deaths == 0
    assert "delivery_broke" in events(logs)


def test_drain_finishes_what_is_in_hand() -> None:
    office, messages = BackOffice(), notices(5)

    async def main() -> None:
        office.dispatcher.start()
        answer = office.gateway.hang("gcash")
        await office.take(*messages)
        await a_moment()
        draining = asyncio.create_task(office.dispatcher.drain(5.0))
        await asyncio.sleep(0.05)
        assert not draining.done()
        answer.set()
        await asyncio.wait_for(draining, 5)

    with capture_logs() as logs:
        asyncio.run(main())

    assert delivered(office, messages) == 5
    assert logs[-1] == {"event": "drained", "messages_left": 0, "log_level": "info"}


def test_drain_gives_back_a_claim_that_was_just_begun() -> None:
    office, messages = BackOffice(), notices(5)

    async def main() -> None:
        office.dispatcher.start()
        await office.take(*messages)
        await office.dispatcher.drain(5.0)

    asyncio.run(main())

    assert office.calls == []
    assert sorted(office.hints.message_ids) == sorted(message.message_id for message in messages)


def test_drain_leaves_in_time_what_never_ends() -> None:
    office = BackOffice()

    async def main() -> float:
        office.dispatcher.start()
        office.gateway.hang("gcash")
        await office.take(*notices(2))
        await a_moment()
        started = asyncio.get_running_loop().time()
        await office.dispatcher.drain(0.1)
        return asyncio.get_running_loop().time() - started

    with capture_logs() as logs:
        took = asyncio.run(main())

    assert 0.1 <= took < 2
    assert logs[-1] == {"event": "drained", "messages_left": 2, "log_level": "info"}


def test_draining_hints_nothing_more() -> None:
    office = BackOffice(OfficeHours(sweep_interval=1))

    async def main() -> None:
        office.dispatcher.start()
        office.gateway.hang("gcash")
        await office.take(notice("held"))
        await a_moment()
        draining = asyncio.create_task(office.dispatcher.drain(0.2))
        await asyncio.sleep(0.02)
        await office.accept([notice("overdue")])
        office.ledger.now += office.ledger.limits.grace
        await draining

    asyncio.run(main())

    assert office.hints.published == []


def test_a_drained_process_runs_nothing_any_more() -> None:
    office = BackOffice()

    async def main() -> set[asyncio.Task[None]]:
        office.dispatcher.start()
        await office.dispatcher.drain(1.0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_a_service_that_died_ends_the_process() -> None:
    office = BackOffice(ledger=BrokenLedger(shards=1))

    async def main() -> None:
        office.dispatcher.start()
        await office.take(notice())
        await until(lambda: office.deaths > 0)
        await office.dispatcher.drain(0.0)

    with capture_logs() as logs:
        asyncio.run(main())

    assert office.deaths == 1
    assert "service_died" in events(logs)


def test_services_that_end_by_a_drain_are_no_deaths() -> None:
    office = BackOffice()

    async def play(office: BackOffice) -> None:
        await office.take(notice())

    assert office.open(play).deaths == 0


def test_leases_are_renewed_while_calls_are_in_flight() -> None:
    office, message = BackOffice(OfficeHours(lease=30)), notice()

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        await office.take(message)
        await a_moment()
        first = office.ledger.records[message.message_id].lease
        office.ledger.now += 1
        await until(lambda: office.ledger.records[message.message_id].lease > first)
        answer.set()

    office.open(play)

    assert delivered(office, [message]) == 1


def test_settled_messages_make_room_for_their_merchants_backlog() -> None:
    office = BackOffice(ledger=FakeLedger(LedgerLimits(window_single=1), shards=1))
    first, waiting = notices(2)

    async def play(office: BackOffice) -> None:
        await office.accept([first, waiting])
        await office.dispatcher.take(Hint(Lane.SINGLE, 0, (first.message_id,)))
        await until(lambda: bool(office.hints.published))

    assert office.open(play).hints.message_ids == [waiting.message_id]


def test_overdue_messages_are_hinted_while_the_process_runs() -> None:
    office, message = BackOffice(OfficeHours(sweep_interval=1)), notice()

    async def play(office: BackOffice) -> None:
        await office.accept([message])
        office.ledger.now += office.ledger.limits.grace
        await until(lambda: bool(office.hints.published))

    assert office.open(play).hints.message_ids == [message.message_id]


def test_drain_gives_back_what_was_not_sent_so_that_it_is_due_at_once_and_hints_it_again() -> None:
    office, messages = BackOffice(OfficeHours(calls=1)), notices(30)

    async def main() -> None:
        office.dispatcher.start()
        answer = office.gateway.hang("gcash")
        await office.take(*messages, lane=Lane.BULK)
        await a_moment()
        draining = asyncio.create_task(office.dispatcher.drain(5.0))
        await until(lambda: len(office.hints.message_ids) == 20)
        answer.set()
        await draining

    asyncio.run(main())

    given_back = [office.ledger.records[message_id] for message_id in office.hints.message_ids]
    assert delivered(office, messages) == 10  # one call: 20 deliveries of 10 messages
    assert {(record.crashes, record.tries, record.due_at) for record in given_back} == {(0, 0, office.ledger.now)}
    assert {(hint.lane, hint.shard, hint.kind) for hint in office.hints.published} == {(Lane.BULK, 0, HintKind.NORMAL)}


def test_a_hint_that_comes_while_draining_is_handed_on() -> None:
    office, held, late = BackOffice(), notice("held"), notice("late")

    async def main() -> None:
        office.dispatcher.start()
        answer = office.gateway.hang("gcash")
        await office.take(held)
        await a_moment()
        draining = asyncio.create_task(office.dispatcher.drain(5.0))
        await a_moment()
        await office.take(late)
        answer.set()
        await draining

    asyncio.run(main())

    assert office.hints.published == [Hint(Lane.SINGLE, 0, (late.message_id,))]
    assert delivered(office, [held, late]) == 1
    assert office.slots.used == 0


def test_what_a_process_finishes_while_draining_is_not_hinted_again() -> None:
    office = BackOffice()

    async def main() -> None:
        office.dispatcher.start()
        answer = office.gateway.hang("gcash")
        await office.take(*notices(3))
        await a_moment()
        draining = asyncio.create_task(office.dispatcher.drain(5.0))
        await a_moment()
        answer.set()
        await draining

    asyncio.run(main())

    assert office.hints.published == []


def suspected(hint: Hint, kind: HintKind = HintKind.SUSPECTS) -> Hint:
    return Hint(hint.lane, hint.shard, hint.message_ids, kind)


def test_suspects_are_claimed_only_when_nothing_else_is_in_hand() -> None:
    office, suspects = BackOffice(), notices(2)

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        await office.take(notice("normal"))
        await a_moment()
        await office.dispatcher.take(suspected(await office.accept(suspects)))
        await a_moment()
        assert len(office.holdings) == 1
        answer.set()
        await office.idle()

    office.open(play)

    assert delivered(office, suspects) == 2
    assert office.slots.used == 0


def test_nothing_is_claimed_beside_suspects_and_what_waited_is_delivered_after_them() -> None:
    office, suspect, normal = BackOffice(), notice("suspect"), notices(3)

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        await office.dispatcher.take(suspected(await office.accept([suspect]), HintKind.ALONE))
        await a_moment()
        await office.take(*normal)
        await a_moment()
        assert len(office.holdings) == 1
        answer.set()
        await office.idle()

    office.open(play)

    assert delivered(office, [suspect, *normal]) == 4


def test_suspects_need_no_slots_as_those_who_have_them_wait_for_the_gate() -> None:
    office, first, others = BackOffice(OfficeHours(slots=20)), notice("first"), notices(16)
    suspects = [notice("suspect"), notice("another")]

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        for suspect in (first, *suspects):
            await office.dispatcher.take(suspected(await office.accept([suspect], Lane.BULK), HintKind.ALONE))
        await a_moment()
        await office.take(*others, lane=Lane.BULK)
        answer.set()
        await office.idle()

    office.open(play)

    assert delivered(office, [first, *suspects, *others]) == 19
    assert office.slots.used == 0


def test_suspects_beyond_those_that_may_wait_are_left_to_other_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_MOST_SUSPECTS", 1)
    office, messages = BackOffice(), notices(3)

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        for message in messages:
            await office.dispatcher.take(suspected(await office.accept([message]), HintKind.ALONE))
            await a_moment()
        answer.set()
        await office.idle()

    office.open(play)

    assert [delivered(office, [message]) for message in messages] == [1, 1, 0]


def test_suspects_that_somebody_else_has_let_the_next_ones_in() -> None:
    office, message = BackOffice(), notice()

    async def play(office: BackOffice) -> None:
        await office.dispatcher.take(Hint(Lane.SINGLE, 0, (UNKNOWN,), HintKind.ALONE))
        await office.take(message)
        await office.idle()

    assert delivered(office.open(play), [message]) == 1
