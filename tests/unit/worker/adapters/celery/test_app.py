from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from celery import Celery, signals
from celery._state import get_current_app
from typing_extensions import override

from worker.adapters.celery.app import HintSender, ProcessLoops, publisher, publishing_app, register_delivery
from worker.adapters.celery.configuration import DELIVER_TASK, configuration
from worker.adapters.celery.loop import DeliveryLoop
from worker.contract.messages import Hint, HintKind, Lane


class NotedLoop(DeliveryLoop):
    """Notes what it is asked, and runs nothing."""

    def __init__(self) -> None:
        self.taken: list[Hint] = []
        self.stops = 0

    @override
    def take(self, hints: Sequence[Hint]) -> None:
        self.taken += hints

    @override
    def stop(self) -> None:
        self.stops += 1


class Loops:
    """A maker of loops that remembers them."""

    def __init__(self) -> None:
        self.made: list[NotedLoop] = []

    def __call__(self) -> NotedLoop:
        self.made.append(NotedLoop())
        return self.made[-1]


def waiting(app: Celery, queue: str) -> list[tuple[dict[str, Any], Any]]:
    """Return properties and content of what waits in a queue, and empty it."""
    with app.connection_for_read() as connection, connection.SimpleQueue(queue) as simple:
        found = []
        while simple.qsize():
            message = simple.get_nowait()
            found.append(({**message.headers, **message.delivery_info}, message.payload))
            message.ack()
    return found


@pytest.fixture
def app() -> Iterator[Celery]:
    """The broker in memory is the process', so what other tests left there goes first."""
    found = publishing_app("memory://")
    for lane in Lane:
        waiting(found, lane)
    yield found
    found.close()


@pytest.mark.parametrize("lane", Lane)
def test_hints_become_one_task_in_the_queue_of_their_lane(app: Celery, lane: Lane) -> None:
    HintSender(app)([Hint(lane, 3, ("a", "b"), HintKind.SUSPECTS), Hint(lane, 4, ("c",))])

    ((properties, payload),) = waiting(app, lane)
    assert properties["task"] == DELIVER_TASK
    assert payload[0] == [lane, [[3, ["a", "b"], "suspects"], [4, ["c"], "normal"]]]
    assert (properties["exchange"], properties["routing_key"]) == ("", lane)
    assert properties["ignore_result"] is True
    assert properties["eta"] is None


def test_a_task_carries_ids_and_nothing_of_a_message(app: Celery) -> None:
    hints = publisher(app)

    hints.publish([Hint(Lane.SINGLE, 0, ("0a" * 16,))])

    assert hints.flush(10)
    ((_, payload),) = waiting(app, "single")
    assert payload[:2] == [["single", [[0, ["0a" * 16], "normal"]]], {}]


def test_publishing_takes_no_place_of_the_app_in_use(app: Celery) -> None:
    assert get_current_app() is not app


def test_the_task_hands_its_ids_to_the_loop_of_its_process() -> None:
    app, loops = Celery("test", set_as_current=False), Loops()
    app.config_from_object(configuration("memory://"))
    register_delivery(app, ProcessLoops(loops))

    app.tasks[DELIVER_TASK]("bulk", [[7, ["a", "b"], "normal"]])
    app.tasks[DELIVER_TASK]("bulk", [[7, ["c"], "alone"], [8, ["d"], "normal"]])

    (loop,) = loops.made
    assert loop.taken == [
        Hint(Lane.BULK, 7, ("a", "b")),
        Hint(Lane.BULK, 7, ("c",), HintKind.ALONE),
        Hint(Lane.BULK, 8, ("d",)),
    ]
    app.close()


def test_a_process_has_one_loop_until_it_stops() -> None:
    loops = Loops()
    process = ProcessLoops(loops)

    assert process.current() is process.current()
    process.stop()
    process.stop()
    assert [loop.stops for loop in loops.made] == [1]
    assert process.current() is loops.made[1]


def test_a_process_without_a_loop_has_nothing_to_stop() -> None:
    loops = Loops()

    ProcessLoops(loops).stop()

    assert loops.made == []


def test_a_forked_child_gets_a_loop_of_its_own_and_leaves_its_parents_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = Loops()
    process = ProcessLoops(loops)
    parents = process.current()

    monkeypatch.setattr("worker.adapters.celery.app.os.getpid", lambda: -1)
    process.stop()
    of_child = process.current()

    assert of_child is not parents
    assert parents is loops.made[0]
    assert loops.made[0].stops == 0


def test_a_childs_loop_starts_and_stops_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for signal in (signals.worker_process_init, signals.worker_process_shutdown, signals.worker_shutdown):
        monkeypatch.setattr(signal, "receivers", [])
    app, loops = Celery("test", set_as_current=False), Loops()
    app.config_from_object(configuration("memory://"))
    register_delivery(app, ProcessLoops(loops))

    signals.worker_process_init.send(sender=None)
    assert [loop.stops for loop in loops.made] == [0]
    signals.worker_process_shutdown.send(sender=None, pid=1, exitcode=0)
    assert [loop.stops for loop in loops.made] == [1]
    app.close()
