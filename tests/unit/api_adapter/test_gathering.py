import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from structlog.testing import capture_logs

from api_adapter.admitting import Send
from api_adapter.gathering import Gathering
from api_adapter.taking import Results, SendResult
from tests.samples import send_fields
from worker.contract.codes import SUCCESS
from worker.contract.parsing import parse_fields
from worker.contract.send_request import SendRequest


class Store:
    """Answers parts once it is let; remembers which sends came together."""

    def __init__(self, *bad: str) -> None:
        self.parts: list[list[str]] = []
        self.open = asyncio.Event()
        self._bad = frozenset(bad)

    async def take(self, sends: Sequence[Send]) -> Results:
        ids = [send.message_id for send in sends]
        self.parts.append(ids)
        await self.open.wait()
        if self._bad.intersection(ids):
            raise ValueError(f"of {ids}")
        assert [send.place for send in sends] == list(range(len(sends)))
        return {send.place: SendResult(SUCCESS, send.message_id) for send in sends}


def send(name: str) -> Send:
    return Send(
        place=0,
        client_id=f"client-of-{name}",
        request=parse_fields(SendRequest, send_fields()),
        message_id=name,
        fingerprint="content",
    )


def names(number: int, start: int = 0) -> list[str]:
    return [f"m{index}" for index in range(start, number)]


def run(play: Callable[[Store, Gathering], Awaitable[None]], *bad: str, pace: float = 0) -> Store:
    async def main() -> Store:
        store = Store(*bad)
        await play(store, Gathering(store.take, pace))
        return store

    return asyncio.run(main())


async def come(gathering: Gathering, *ids: str) -> "list[asyncio.Task[SendResult]]":
    tasks = [asyncio.create_task(gathering.take(send(name))) for name in ids]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_sends_that_come_soon_after_each_other_are_taken_together() -> None:
    async def play(store: Store, gathering: Gathering) -> None:
        store.open.set()
        await gathering.take(send("m0"))
        await asyncio.gather(*await come(gathering, "m1"), *await come(gathering, "m2"))

    assert run(play, pace=0.2).parts == [["m0"], ["m1", "m2"]]


def test_a_send_that_comes_alone_is_taken_at_once() -> None:
    async def play(store: Store, gathering: Gathering) -> None:
        store.open.set()
        assert (await gathering.take(send("m0"))).message_id == "m0"

    assert run(play).parts == [["m0"]]


def test_what_comes_while_two_parts_are_under_way_is_taken_together_and_each_caller_gets_its_own_answer() -> None:
    async def play(store: Store, gathering: Gathering) -> None:
        tasks = [task for name in names(10) for task in await come(gathering, name)]
        store.open.set()
        assert [(await task).message_id for task in tasks] == names(10)

    assert run(play).parts == [["m0"], ["m1"], names(10, 2)]


def test_a_part_is_bounded() -> None:
    async def play(store: Store, gathering: Gathering) -> None:
        tasks = await come(gathering, "a", "b")
        tasks += await come(gathering, *names(450))
        store.open.set()
        assert [(await task).message_id for task in tasks] == ["a", "b", *names(450)]

    assert [len(part) for part in run(play).parts][-3:] == [200, 200, 50]


def test_a_fault_that_one_send_meets_is_its_callers_alone() -> None:
    async def play(store: Store, gathering: Gathering) -> None:
        tasks = await come(gathering, "a")
        tasks += await come(gathering, "b")
        tasks += await come(gathering, "m0", "bad", "m1")
        store.open.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(answer, SendResult) for answer in answers] == [True, True, True, False, True]
        with pytest.raises(ValueError, match="of"):
            await tasks[3]

    with capture_logs() as logs:
        store = run(play, "bad")

    assert store.parts[2:] == [["m0", "bad", "m1"], ["m0"], ["bad"], ["m1"]]
    assert [(entry["event"], entry["sends"], entry["error"]) for entry in logs] == [
        ("part_taken_one_by_one", 3, "ValueError"),
    ]


def test_a_caller_that_waits_no_more_keeps_nobody_from_an_answer() -> None:
    async def play(store: Store, gathering: Gathering) -> None:
        gone, kept = await come(gathering, "gone", "kept")
        (waiting,) = await come(gathering, "waiting")
        gone.cancel()
        await asyncio.sleep(0)
        store.open.set()
        assert [(await task).message_id for task in (kept, waiting)] == ["kept", "waiting"]

    run(play)
