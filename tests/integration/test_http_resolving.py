"""Names that the HTTP client of wallet calls looks up: a slow name server holds up nobody but its own wallet."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.http_calls import FINE, PATIENCE, SHORT, Play, client, until
from tests.receivers import receiver
from worker.adapters.http_calls import resolving
from worker.adapters.http_calls.errors import ClientClosedError, ConnectTimeoutError, HostNotFoundError
from worker.adapters.http_calls.resolving import Resolver

LOOPBACK = ["127.0.0.1"]


class Names:
    """A name server: names that begin with "slow" are not answered before `go` is set, and none.test leads nowhere."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.answered: list[str] = []

    def look_up(self, host: str) -> list[str]:
        self.asked.append(host)
        if host.startswith("slow"):
            self.go.wait()
        self.answered.append(host)
        return [] if host == "none.test" else LOOPBACK


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names()
    monkeypatch.setattr(resolving, "look_up", found.look_up)
    yield found
    found.go.set()


def test_calls_to_a_wallet_whose_name_is_slow_hold_up_no_other(
    play: Play, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.adapters.http_calls.client.CONNECT_SECONDS", PATIENCE)

    async def story() -> None:
        async with receiver() as wallet, client() as found:
            slow = [found.post(f"http://slow{number}.test/", b"{}") for number in range(10)]
            waiting = asyncio.gather(*slow, *slow_again(found.post), return_exceptions=True)
            await until(lambda: len(names.asked) == 10)
            assert await found.post(f"http://wallet.test:{wallet.port}/", b"{}") == FINE
            await asyncio.get_running_loop().getaddrinfo("localhost", 80)  # as whoever connects to Redis does
            assert names.answered == ["wallet.test"]
            await found.close()
            assert {type(one) for one in await waiting} == {ClientClosedError}

    def slow_again(post: Callable[[str, bytes], object]) -> Iterator[object]:
        return (post("http://slow1.test/", b"{}") for _ in range(10))

    play(story())


def test_a_call_does_not_wait_for_a_slow_look_up_beyond_its_time(play: Play, names: Names) -> None:
    async def story() -> None:
        async with client(SHORT) as found:
            with pytest.raises(ConnectTimeoutError):
                await found.post("http://slow.test/", b"{}")
            assert names.answered == []

    play(story())


def test_a_name_is_looked_up_once_at_a_time_for_all_who_ask(play: Play, names: Names) -> None:
    async def story() -> None:
        resolver = Resolver()
        first, *others = [asyncio.create_task(resolver.resolve("slow.test")) for _ in range(5)]
        await until(lambda: bool(names.asked))
        first.cancel()
        await asyncio.wait([first])
        names.go.set()
        assert await asyncio.gather(*others) == [LOOPBACK] * 4
        assert names.asked == ["slow.test"]
        assert resolver._under_way == {}

    play(story())


def test_an_answer_is_used_for_a_while(play: Play, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        resolver = Resolver()
        for _ in range(3):
            assert await resolver.resolve("wallet.test") == LOOPBACK
        assert len(names.asked) == 1
        monkeypatch.setattr(resolving, "FRESH", 0.0)
        resolver = Resolver()
        for _ in range(3):
            assert await resolver.resolve("wallet.test") == LOOPBACK
        assert len(names.asked) == 4

    play(story())


def test_that_a_name_leads_nowhere_is_asked_anew_each_time(play: Play, names: Names) -> None:
    async def story() -> None:
        resolver = Resolver()
        for _ in range(2):
            with pytest.raises(HostNotFoundError):
                await resolver.resolve("none.test")
        assert names.asked == ["none.test"] * 2

    play(story())


def test_an_answer_that_comes_after_close_is_nobodys(play: Play, names: Names) -> None:
    async def story() -> None:
        failures: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        resolver = Resolver()
        call = asyncio.create_task(resolver.resolve("slow.test"))
        await until(lambda: bool(names.asked))
        await resolver.close()
        names.go.set()
        await until(lambda: all(thread.name != "look-up" for thread in threading.enumerate()))
        await asyncio.sleep(0)
        assert failures == []
        assert call.cancelled()

    play(story())


def test_a_look_up_that_fails_in_no_known_way_leaves_nobody_waiting(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def broken(_: str) -> list[str]:
        raise SystemError

    monkeypatch.setattr(resolving, "look_up", broken)

    async def story() -> None:
        with pytest.raises(HostNotFoundError):
            await Resolver().resolve("wallet.test")
        await until(lambda: len(failures) == 1)

    play(story())


def test_a_system_that_gives_no_thread_is_a_name_that_cannot_be_looked_up(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        resolver = Resolver()
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(HostNotFoundError):
            await resolver.resolve("localhost")
        monkeypatch.undo()
        assert await resolver.resolve("localhost")

    play(story())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_is_not_looked_up(play: Play, names: Names, address: str) -> None:
    async def story() -> None:
        assert await Resolver().resolve(address) == [address]
        assert names.asked == []

    play(story())


@pytest.mark.parametrize(("most", "at_once"), [(2, 2), (3, 3), (4, 3)])
def test_so_many_names_are_looked_up_at_once_and_the_others_wait(
    play: Play, names: Names, monkeypatch: pytest.MonkeyPatch, most: int, at_once: int
) -> None:
    monkeypatch.setattr(resolving, "MOST_LOOK_UPS", most)

    async def story() -> None:
        resolver = Resolver()
        asked = [asyncio.create_task(resolver.resolve(f"slow{number}.test")) for number in range(3)]
        await until(lambda: len(names.asked) == at_once)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(names.asked) == at_once
        names.go.set()
        assert await asyncio.gather(*asked) == [LOOPBACK] * 3

    play(story())


def test_neither_close_nor_the_end_of_the_loop_waits_for_a_look_up(
    play: Play, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    async def story() -> None:
        async with client() as found:
            call = asyncio.create_task(found.post("http://slow.test/", b"{}"))
            await until(lambda: bool(names.asked))
        with pytest.raises(ClientClosedError):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(story())
    assert names.answered == []
    names.go.set()
    for thread in threading.enumerate():
        if thread.name == "look-up":
            assert thread.daemon
            thread.join(PATIENCE)
    assert names.answered == ["slow.test"]
    assert failures == []
