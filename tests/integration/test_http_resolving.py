"""Names that the HTTP client of wallet calls looks up: a slow name server holds up nobody but its own wallet."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.http_calls import FINE, PATIENCE, SHORT, Play, client, until
from tests.names import Names
from tests.receivers import receiver
from worker.adapters.http_calls.errors import ClientClosedError, ConnectTimeoutError


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
