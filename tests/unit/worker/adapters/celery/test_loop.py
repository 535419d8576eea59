import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from structlog.testing import capture_logs

from tests.back_office import BackOffice, OfficeHours, notice, notices
from tests.fakes.hints import FakeHints
from tests.stacks import wait_until
from worker.adapters.celery.loop import DeliveryLoop, Times
from worker.adapters.celery.vitals import Vitals
from worker.contract.codes import ResultStatus
from worker.contract.messages import Hint, Lane, NewMessage
from worker.dispatch import Dispatcher

PATIENCE = 5_000


def accepted(office: BackOffice, *messages: NewMessage) -> Hint:
    return asyncio.run(office.accept(messages))


def times(patience: int = PATIENCE, drain: int = 5_000) -> Times:
    return Times(drain, patience, patience)


@contextmanager
def loop_of(
    office: BackOffice,
    patience: int = PATIENCE,
    opens: threading.Event | None = None,
    vitals: Vitals | None = None,
    drain: int = 5_000,
) -> Iterator[DeliveryLoop]:
    """Give a loop of an office, which is drained at the end; it becomes ready when `opens` is set."""

    @asynccontextmanager
    async def opener(_died: Callable[[], None]) -> AsyncIterator[Dispatcher]:
        await asyncio.to_thread((opens or ready).wait, 10)
        yield office.dispatcher

    ready = threading.Event()
    ready.set()
    loop = DeliveryLoop(opener, times(patience, drain), office.hints, (vitals or Vitals()).pulse(0))
    yield loop
    loop.stop()
    assert office.hints.flushed == [2]
    assert not loop._thread.is_alive()


def test_what_is_taken_is_delivered_before_the_loop_ends() -> None:
    office, messages = BackOffice(), notices(30)

    with loop_of(office) as loop:
        loop.take([accepted(office, *messages)])

    assert all(office.outcome(message).whole.status is ResultStatus.S for message in messages)


def test_take_waits_for_a_loop_that_is_not_ready_yet() -> None:
    office, message, opens = BackOffice(), notice(), threading.Event()

    with loop_of(office, opens=opens) as loop:
        threading.Timer(0.05, opens.set).start()
        loop.take([accepted(office, message)])

    assert office.outcome(message).whole.status is ResultStatus.S


def test_a_hint_is_dropped_when_the_loop_is_not_ready_in_time() -> None:
    office, message, opens = BackOffice(), notice(), threading.Event()

    with capture_logs() as logs, loop_of(office, patience=20, opens=opens) as loop:
        loop.take([accepted(office, message)])
        opens.set()
        loop._running.result(10)

    assert logs[0] == {"event": "hints_dropped_not_ready", "messages": 1, "log_level": "warning"}
    assert office.calls == []


def test_a_hint_goes_back_when_no_slot_is_free_in_time_and_what_has_slots_goes_on() -> None:
    office, messages = BackOffice(OfficeHours(slots=20)), notices(30)
    answer = office.gateway.hang("gcash")

    with capture_logs() as logs, loop_of(office, patience=100) as loop:
        loop.take([accepted(office, *messages)])
        wait_until(lambda: logs, "a hint to be given back")
        loop._running.result().loop.call_soon_threadsafe(answer.set)

    assert logs[0] == {"event": "hints_given_back", "messages": 30, "log_level": "info"}
    assert sum(office.outcome(message).whole.status is ResultStatus.S for message in messages) == 18
    assert office.slots.used == 0


def test_of_hints_that_came_together_those_that_find_slots_in_time_are_delivered() -> None:
    office, messages = BackOffice(OfficeHours(slots=20)), notices(30)
    answer = office.gateway.hang("gcash")
    accepted(office, *messages)
    hints = [Hint(Lane.SINGLE, 0, (message.message_id,)) for message in messages]

    with capture_logs() as logs, loop_of(office, patience=100) as loop:
        loop.take(hints)
        wait_until(lambda: logs, "a hint to be given back")
        loop._running.result().loop.call_soon_threadsafe(answer.set)

    assert logs[0] == {"event": "hints_given_back", "messages": 12, "log_level": "info"}
    assert office.hints.message_ids == [message.message_id for message in messages[18:]]
    assert sum(office.outcome(message).whole.status is ResultStatus.S for message in messages) == 18


def test_hints_that_wait_for_slots_keep_nobody_waiting_until_they_are_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.adapters.celery.loop.CHUNK", 4)
    office, messages = BackOffice(OfficeHours(slots=20)), notices(30)
    answer = office.gateway.hang("gcash")
    accepted(office, *messages)
    hints = [Hint(Lane.SINGLE, 0, (message.message_id,)) for message in messages]

    with capture_logs() as logs, loop_of(office, patience=60_000) as loop:
        loop.take(hints[:18])
        wait_until(lambda: office.slots.used == 18, "the slots to be taken")
        for hint in hints[18:22]:
            loop.take([hint])
        one_more = threading.Thread(target=loop.take, args=(hints[22:],))
        one_more.start()
        one_more.join(0.05)
        waits = one_more.is_alive()
        loop._running.result().loop.call_soon_threadsafe(answer.set)
        one_more.join()

    assert waits
    assert [log["event"] for log in logs] == ["drained"]
    assert all(office.outcome(message).whole.status is ResultStatus.S for message in messages)


def test_a_batch_that_waits_for_slots_keeps_no_interactive_send_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.adapters.celery.loop.CHUNK", 4)
    office, batch, single = BackOffice(OfficeHours(slots=20)), notices(30), notice("single")
    answer = office.gateway.hang("gcash")
    bulk = asyncio.run(office.accept(batch, Lane.BULK))

    with capture_logs() as logs, loop_of(office, patience=60_000) as loop:
        loop.take([bulk])
        wait_until(lambda: office.slots.used == 18, "the slots of one lane to be taken")
        loop.take([accepted(office, single)])
        wait_until(lambda: office.slots.used == 19, "the interactive send to have its slot")
        loop._running.result().loop.call_soon_threadsafe(answer.set)

    assert [log["event"] for log in logs] == ["drained"]
    assert office.outcome(single).whole.status is ResultStatus.S


def test_many_threads_may_hand_in_hints_at_once() -> None:
    office, messages = BackOffice(OfficeHours(slots=50)), notices(100)
    accepted(office, *messages)

    with loop_of(office, patience=60_000) as loop:
        hints = [Hint(Lane.SINGLE, 0, (message.message_id,)) for message in messages]
        threads = [threading.Thread(target=loop.take, args=([hint],)) for hint in hints]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    delivered = {one.message_id for one in messages if office.outcome(one).whole.status is ResultStatus.S}
    # What waits for slots when the loop is to end is handed on to other workers.
    assert delivered | set(office.hints.message_ids) == {message.message_id for message in messages}
    assert len(delivered) >= 50


def test_a_loop_that_never_became_ready_is_left_at_once() -> None:
    opens = threading.Event()
    office = BackOffice()

    @asynccontextmanager
    async def opener(_died: Callable[[], None]) -> AsyncIterator[Dispatcher]:
        await asyncio.to_thread(opens.wait, 10)
        yield office.dispatcher

    loop = DeliveryLoop(opener, times(), office.hints, Vitals().pulse(0))
    loop.stop()

    assert office.hints.flushed == []
    opens.set()
    loop._running.result(10)
    loop.stop()


def test_a_loop_that_dies_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr("worker.adapters.celery.loop.end_process", ended.set)

    @asynccontextmanager
    async def opener(_died: Callable[[], None]) -> AsyncIterator[Dispatcher]:
        raise RuntimeError("a bug")
        yield

    with capture_logs() as logs:
        DeliveryLoop(opener, times(), FakeHints(), Vitals().pulse(0))
        assert ended.wait(10)

    assert [entry["event"] for entry in logs] == ["delivery_loop_died"]


def test_a_worker_that_stops_is_heard_by_the_loop_which_drains_before_anybody_waits_for_it() -> None:
    office, vitals = BackOffice(), Vitals()

    with loop_of(office, vitals=vitals) as loop:
        loop.take([accepted(office, notice())])
        vitals.stop()
        loop._thread.join(10)
        assert not loop._thread.is_alive()


def test_a_loop_that_stops_hands_on_what_it_is_given() -> None:
    office, vitals = BackOffice(), Vitals()
    hint = accepted(office, notice())

    with loop_of(office, vitals=vitals) as loop:
        loop._running.result(10)
        vitals.stop()
        wait_until(loop._stopping.is_set, "the loop hears it", 10)
        loop.take([hint])

    assert office.hints.published == [hint]
    assert office.calls == []


def test_a_hint_that_waits_for_slots_while_the_loop_ends_is_handed_on() -> None:
    office, vitals, messages = BackOffice(OfficeHours(slots=20)), Vitals(), notices(30)
    office.gateway.hang("gcash")
    first, second = accepted(office, *messages[:18]), accepted(office, *messages[18:])

    with loop_of(office, vitals=vitals, drain=50) as loop:
        loop.take([first])
        waiting = threading.Thread(target=loop.take, args=([second],))
        waiting.start()
        vitals.stop()
        waiting.join(10)

    assert set(office.hints.message_ids) >= set(second.message_ids)


def test_a_loop_beats_while_it_waits_for_its_ledger() -> None:
    office, vitals, opens = BackOffice(), Vitals(), threading.Event()

    with loop_of(office, opens=opens, vitals=vitals) as loop:
        wait_until(lambda: (vitals.beats(0, os.getpid()) or 0) > 2, "beats", 10)
        assert not loop._running.done()
        opens.set()
        loop._running.result(10)
