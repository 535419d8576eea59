import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from typing_extensions import override

from worker.adapters.celery import hints
from worker.adapters.celery.hints import HintPublisher
from worker.contract.messages import CHUNK, Hint, HintKind, Lane

SINGLE, BULK = Lane.SINGLE, Lane.BULK
Sent = tuple[Lane, int, list[str]]


class Broker:
    """Takes hints, one after the other, while it is open; raises while it is away."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.kinds: list[HintKind] = []
        self.tasks: list[int] = []
        """How many hints went together, each time."""
        self.away = False
        self.asked = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()

    def __call__(self, hints: Sequence[Hint]) -> None:
        self.asked.release()
        assert self.open.wait(10)
        if self.away:
            raise ConnectionError("redis://user:s3cr3t@broker.test is away")
        assert len({hint.lane for hint in hints}) == 1
        self.tasks.append(len(hints))
        self.sent += [(hint.lane, hint.shard, list(hint.message_ids)) for hint in hints]
        self.kinds += [hint.kind for hint in hints]

    @contextmanager
    def busy_with(self, publisher: HintPublisher) -> Iterator[None]:
        """Hold a first hint on its way to the broker, for as long."""
        self.open.clear()
        publisher.publish([hint("busy")])
        assert self.asked.acquire(timeout=10)
        yield
        self.open.set()


def hint(*ids: str, lane: Lane = BULK, shard: int = 0) -> Hint:
    return Hint(lane, shard, ids)


def test_a_hint_reaches_the_broker() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    publisher.publish([hint("a", "b", lane=SINGLE, shard=3)])

    assert publisher.flush(10)
    assert broker.sent == [(SINGLE, 3, ["a", "b"])]


def test_hints_that_come_soon_after_each_other_share_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "_PACE", 0.5)
    broker = Broker()
    publisher = HintPublisher(broker)

    publisher.publish([hint("a")])
    assert broker.asked.acquire(timeout=10)
    publisher.publish([hint("b")])
    publisher.publish([hint("c", shard=1)])

    assert publisher.flush(10)
    assert broker.tasks == [1, 2]


def test_what_gathers_while_a_hint_is_sent_is_merged_by_lane_and_shard_single_first() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    with broker.busy_with(publisher):
        publisher.publish([hint("a"), hint("b", shard=1)])
        publisher.publish([hint("c"), hint("s", lane=SINGLE)])
        publisher.publish([hint("d"), hint("t", lane=SINGLE)])

    assert publisher.flush(10)
    assert broker.sent == [
        (BULK, 0, ["busy"]),
        (SINGLE, 0, ["s", "t"]),
        (BULK, 0, ["a", "c", "d"]),
        (BULK, 1, ["b"]),
    ]
    assert broker.tasks == [1, 1, 2]


@pytest.mark.parametrize(
    ("shards", "ids", "tasks"),
    [(7, 60, [1, 3, 3, 1]), (8, 150, [1, 2, 2, 2, 2]), (20, 150, [1, 5, 5, 5, 5]), (40, 150, [1, *[5] * 8])],
    ids=["a chunk", "a quarter of the whole", "four chunks", "four chunks of many"],
)
def test_hints_of_several_shards_share_a_task_up_to(shards: int, ids: int, tasks: list[int]) -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    with broker.busy_with(publisher):
        publisher.publish(
            [hint(*(f"{shard}-{number}" for number in range(ids)), shard=shard) for shard in range(shards)]
        )

    assert publisher.flush(10)
    assert broker.tasks == tasks


def test_no_hint_holds_more_than_one_script_may_claim() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)
    ids = [str(number) for number in range(2 * CHUNK + 1)]

    publisher.publish([hint(*ids)])

    assert publisher.flush(10)
    assert [len(sent) for _, _, sent in broker.sent] == [CHUNK, CHUNK, 1]
    assert [one for _, _, sent in broker.sent for one in sent] == ids


HINTS = st.lists(
    st.builds(
        Hint,
        st.sampled_from(Lane),
        st.integers(0, 3),
        st.lists(st.uuids().map(str), max_size=250).map(tuple),
    ),
    max_size=6,
)


@given(HINTS)
def test_nothing_is_lost_or_doubled_or_moved_to_another_queue(published: list[Hint]) -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    publisher.publish(published)

    assert publisher.flush(10)
    for queue in product(Lane, range(4)):
        wanted = [one for found in published if (found.lane, found.shard) == queue for one in found.message_ids]
        assert [one for sent in broker.sent if sent[:2] == queue for one in sent[2]] == wanted


def test_publishing_never_waits_for_the_broker() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    with broker.busy_with(publisher):
        started = time.monotonic()
        for number in range(100):
            publisher.publish([hint(str(number))])
        assert time.monotonic() - started < 5
        assert broker.sent == []

    assert publisher.flush(10)
    assert sum(len(sent) for _, _, sent in broker.sent) == 101


def test_a_broker_that_raises_never_reaches_the_caller_and_is_told_once() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    with capture_logs() as logs:
        for away in (True, True, False, False):
            broker.away = away
            publisher.publish([hint("lost" if away else "sent")])
            assert publisher.flush(10)

    assert [sent for _, _, sent in broker.sent] == [["sent"], ["sent"]]
    assert logs == [
        {"event": "hints_not_published", "reason": "ConnectionError", "log_level": "warning"},
        {"event": "hints_published_again", "log_level": "info"},
    ]


def test_one_task_that_fails_does_not_stop_the_next() -> None:
    class Picky(Broker):
        @override
        def __call__(self, hints: Sequence[Hint]) -> None:
            if hints[0].lane is SINGLE:
                raise TimeoutError
            super().__call__(hints)

    broker = Picky()
    publisher = HintPublisher(broker)

    publisher.publish([hint("a", lane=SINGLE), hint("b", shard=1)])

    assert publisher.flush(10)
    assert broker.sent == [(BULK, 1, ["b"])]


def test_what_waits_is_bounded_and_more_is_dropped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "_MOST_WAITING", 3)
    broker = Broker()
    publisher = HintPublisher(broker)

    with capture_logs() as logs, broker.busy_with(publisher):
        publisher.publish([hint("a", "b"), hint("c", "d"), hint("e")])
        publisher.publish([hint("f")])

    assert publisher.flush(10)
    assert [sent for _, _, sent in broker.sent] == [["busy"], ["a", "b", "e"]]
    assert logs == [
        {"event": "hints_dropped", "messages": 2, "log_level": "warning"},
        {"event": "hints_dropped", "messages": 1, "log_level": "warning"},
    ]


def test_after_what_waited_was_sent_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "_MOST_WAITING", 2)
    broker = Broker()
    publisher = HintPublisher(broker)

    for name in ("a", "b", "c"):
        publisher.publish([hint(name, name)])
        assert publisher.flush(10)

    assert len(broker.sent) == 3


def test_flush_gives_up_in_time_and_says_so() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    with broker.busy_with(publisher):
        publisher.publish([hint("a")])
        assert not publisher.flush(0.02)

    assert publisher.flush(10)
    assert len(broker.sent) == 2


def test_flush_waits_for_the_hint_that_is_on_its_way() -> None:
    broker = Broker()
    publisher = HintPublisher(broker)

    with broker.busy_with(publisher):
        assert not publisher.flush(0.02)


def test_without_hints_there_is_nothing_to_flush_and_no_thread() -> None:
    before = threading.active_count()
    publisher = HintPublisher(Broker())

    publisher.publish([])
    publisher.publish([hint()])

    assert publisher.flush(0)
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", [HintKind.SUSPECTS, HintKind.ALONE])
def test_a_hint_of_suspects_is_never_merged_with_others_and_says_what_it_is(kind: HintKind) -> None:
    broker = Broker()
    publisher = HintPublisher(broker)
    suspects = [Hint(BULK, 3, (name,), kind) for name in ("x", "y")]

    with broker.busy_with(publisher):
        publisher.publish([Hint(BULK, 3, ("a", "b")), *suspects, Hint(BULK, 3, ("c",))])

    assert publisher.flush(10)
    assert broker.sent[1:] == [(BULK, 3, ["a", "b", "c"]), (BULK, 3, ["x"]), (BULK, 3, ["y"])]
    assert broker.kinds[1:] == [HintKind.NORMAL, kind, kind]
    assert broker.tasks[1:] == [1, 1, 1]
