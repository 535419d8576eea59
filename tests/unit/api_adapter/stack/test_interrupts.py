import asyncio
import os
import signal
from collections.abc import Callable, Coroutine

import pytest

from api_adapter.stack.interrupts import Interrupted, interruptible

Session = Callable[[asyncio.Event], Coroutine[None, None, str]]


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def run(session: Session) -> str:
    return asyncio.run(interruptible(session))


def test_a_session_that_is_left_alone_gives_its_result() -> None:
    async def session(_: asyncio.Event) -> str:
        return "done"

    assert run(session) == "done"


def test_an_error_of_a_session_is_an_error() -> None:
    async def session(_: asyncio.Event) -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(session)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_a_session_gracefully(number: signal.Signals) -> None:
    heard = []

    async def session(impatient: asyncio.Event) -> str:
        try:
            interrupt(number)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            heard.append(impatient.is_set())
        return "not reached"

    with pytest.raises(Interrupted) as told:
        run(session)

    assert heard == [False]
    assert not told.value.impatiently


def test_a_second_signal_makes_the_end_impatient() -> None:
    async def session(impatient: asyncio.Event) -> str:
        try:
            interrupt()
            await asyncio.sleep(60)
        finally:
            interrupt(signal.SIGTERM)
            await asyncio.wait_for(impatient.wait(), 60)
        return "not reached"

    with pytest.raises(Interrupted) as told:
        run(session)

    assert told.value.impatiently


def test_signals_mean_what_they_meant_before_when_the_session_is_over() -> None:
    async def session(_: asyncio.Event) -> str:
        return "done"

    before = signal.getsignal(signal.SIGINT)

    run(session)

    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
