"""Looking up names: once at a time for each, kept for a while, in threads that nobody waits for."""

import asyncio
import threading

import pytest

from tests.http_calls import Play, until
from tests.names import LOOPBACK, Names
from worker.adapters import resolving
from worker.adapters.resolving import Resolver

KEPT = 30.0
NOWHERE = ()


def test_a_name_is_looked_up_once_at_a_time_for_all_who_ask(play: Play, names: Names) -> None:
    async def story() -> None:
        resolver = Resolver(KEPT)
        first, *others = [asyncio.create_task(resolver.resolve("slow.test")) for _ in range(5)]
        await until(lambda: bool(names.asked))
        first.cancel()
        await asyncio.wait([first])
        names.go.set()
        assert await asyncio.gather(*others) == [LOOPBACK] * 4
        assert names.asked == ["slow.test"]
        assert resolver._under_way == {}

    play(story())


@pytest.mark.parametrize(("later", "look_ups"), [(29.9, 1), (30.0, 2), (30.1, 2)])
def test_an_answer_is_used_for_a_while(play: Play, names: Names, later: float, look_ups: int) -> None:
    async def story() -> None:
        now = 100.0
        resolver = Resolver(KEPT, lambda: now)
        for _ in range(3):
            assert await resolver.resolve("wallet.test") == LOOPBACK
        now += later
        assert await resolver.resolve("wallet.test") == LOOPBACK
        assert len(names.asked) == look_ups

    play(story())


@pytest.mark.parametrize(("others", "look_ups"), [(1, 1), (2, 1), (3, 2)])
def test_so_many_names_are_known_and_the_one_that_nobody_asked_for_the_longest_is_forgotten(
    play: Play, names: Names, monkeypatch: pytest.MonkeyPatch, others: int, look_ups: int
) -> None:
    monkeypatch.setattr(resolving, "MOST_KEPT", 3)

    async def story() -> None:
        resolver = Resolver(KEPT)
        for name in ("wallet.test", *(f"other{number}.test" for number in range(others)), "wallet.test"):
            assert await resolver.resolve(name) == LOOPBACK
        assert names.asked.count("wallet.test") == look_ups

    play(story())


def test_that_a_name_leads_nowhere_is_asked_anew_each_time(play: Play, names: Names) -> None:
    async def story() -> None:
        resolver = Resolver(KEPT)
        for _ in range(2):
            assert await resolver.resolve("none.test") == NOWHERE
        assert names.asked == ["none.test"] * 2

    play(story())


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "wallet..test"])
def test_what_can_be_no_name_leads_nowhere(play: Play, name: str) -> None:
    async def story() -> None:
        assert await Resolver(KEPT).resolve(name) == NOWHERE

    play(story())


def test_a_name_of_this_machine_is_found_as_it_is(play: Play) -> None:
    async def story() -> None:
        assert set(await Resolver(KEPT).resolve("localhost")) & {"127.0.0.1", "::1"}

    play(story())


def test_an_answer_that_comes_after_close_is_nobodys(play: Play, names: Names) -> None:
    async def story() -> None:
        failures: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        resolver = Resolver(KEPT)
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
        assert await Resolver(KEPT).resolve("wallet.test") == NOWHERE
        await until(lambda: len(failures) == 1)

    play(story())


def test_a_system_that_gives_no_thread_is_a_name_that_cannot_be_looked_up(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        resolver = Resolver(KEPT)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert await resolver.resolve("localhost") == NOWHERE
        monkeypatch.undo()
        assert await resolver.resolve("localhost")

    play(story())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_is_not_looked_up(play: Play, names: Names, address: str) -> None:
    async def story() -> None:
        assert await Resolver(KEPT).resolve(address) == (address,)
        assert names.asked == []

    play(story())


@pytest.mark.parametrize(("most", "at_once"), [(2, 2), (3, 3), (4, 3)])
def test_so_many_names_are_looked_up_at_once_and_the_others_wait(
    play: Play, names: Names, monkeypatch: pytest.MonkeyPatch, most: int, at_once: int
) -> None:
    monkeypatch.setattr(resolving, "MOST_LOOK_UPS", most)

    async def story() -> None:
        resolver = Resolver(KEPT)
        asked = [asyncio.create_task(resolver.resolve(f"slow{number}.test")) for number in range(3)]
        await until(lambda: len(names.asked) == at_once)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(names.asked) == at_once
        names.go.set()
        assert await asyncio.gather(*asked) == [LOOPBACK] * 3

    play(story())


def test_one_users_names_take_no_thread_from_anothers(
    play: Play, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "MOST_LOOK_UPS", 2)

    async def story() -> None:
        merchants, wallets = Resolver(KEPT), Resolver(KEPT)
        slow = [asyncio.create_task(merchants.resolve(f"slow{number}.test")) for number in range(3)]
        await until(lambda: len(names.asked) == 2)
        assert await wallets.resolve("wallet.test") == LOOPBACK
        assert names.answered == ["wallet.test"]
        names.go.set()
        assert await asyncio.gather(*slow) == [LOOPBACK] * 3

    play(story())
