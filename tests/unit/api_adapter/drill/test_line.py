"""The network of a drill, between a client and an echo."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from api_adapter.drill.line import Line
from tests.stacks import PATIENCE

MOMENT = 0.05
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(100):
        writer.write(piece)
    writer.close()


@asynccontextmanager
async def a_line() -> AsyncIterator[Line]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    line = Line(server.sockets[0].getsockname()[1])
    await line.open()
    try:
        yield line
    finally:
        await line.close()
        server.close()
        await server.wait_closed()


def play(story: Callable[[Line], Awaitable[None]]) -> None:
    async def main() -> None:
        async with a_line() as line:
            await story(line)

    asyncio.run(main())


async def called(line: Line) -> Ends:
    return await asyncio.open_connection("127.0.0.1", line.port)


async def answered(ends: Ends) -> bytes:
    """Send a text; return what comes back."""
    ends[1].write(b"hello")
    return await asyncio.wait_for(ends[0].read(100), PATIENCE)


async def is_silent(ends: Ends) -> bool:
    """Send a text; say whether nothing comes back, neither an answer nor the end of the connection."""
    ends[1].write(b"anybody?")
    try:
        await asyncio.wait_for(ends[0].read(100), MOMENT)
    except TimeoutError:
        return True
    return False


async def is_broken(ends: Ends) -> bool:
    try:
        return await asyncio.wait_for(ends[0].read(100), PATIENCE) == b""
    except ConnectionResetError:
        return True


async def hang_up(*every: Ends) -> None:
    for _, writer in every:
        writer.transport.abort()
    await asyncio.sleep(0)


def test_it_forwards_both_ways() -> None:
    async def story(line: Line) -> None:
        ends = await called(line)
        assert await answered(ends) == b"hello"
        await hang_up(ends)

    play(story)


def test_cut_it_breaks_connections_and_refuses_new_ones_until_it_is_open_again() -> None:
    async def story(line: Line) -> None:
        before, port = await called(line), line.port
        assert await answered(before) == b"hello"
        line.cut()
        assert await is_broken(before)
        with pytest.raises(ConnectionRefusedError):
            await called(line)
        await line.open()
        after = await called(line)
        assert (line.port, await answered(after)) == (port, b"hello")
        await hang_up(before, after)

    play(story)


def test_it_forgets_its_connections_without_a_word_and_serves_new_ones() -> None:
    async def story(line: Line) -> None:
        before = await called(line)
        assert await answered(before) == b"hello"
        line.forget()
        assert await is_silent(before)
        after = await called(line)
        assert await answered(after) == b"hello"
        await hang_up(before, after)

    play(story)


def test_it_swallows_everything_until_it_is_healed() -> None:
    async def story(line: Line) -> None:
        line.swallow()
        swallowed = await called(line)
        assert await is_silent(swallowed)
        line.heal()
        assert await is_broken(swallowed)
        after = await called(line)
        assert await answered(after) == b"hello"
        await hang_up(swallowed, after)

    play(story)


def test_what_was_held_back_is_never_heard_of_after_a_drop() -> None:
    async def story(line: Line) -> None:
        ends = await called(line)
        line.hold_requests()
        assert await is_silent(ends)
        line.hold_replies(lambda: True)
        assert await is_silent(ends)
        line.drop()
        assert await is_broken(ends)
        after = await called(line)
        assert await answered(after) == b"hello"
        await hang_up(ends, after)

    play(story)


def test_replies_are_held_back_from_the_moment_on_at_which_something_is_so() -> None:
    async def story(line: Line) -> None:
        ends, other = await called(line), await called(line)
        holds = asyncio.Event()
        line.hold_replies(holds.is_set)
        assert await answered(ends) == b"hello"
        holds.set()
        assert await is_silent(ends)
        # A moment that passes.
        holds.clear()
        assert await is_silent(other)
        line.drop()
        await hang_up(ends, other)

    play(story)


def test_who_hangs_up_is_hung_up_upon_at_the_other_end() -> None:
    async def story(line: Line) -> None:
        ends = await called(line)
        assert await answered(ends) == b"hello"
        ends[1].write_eof()
        assert await is_broken(ends)
        await hang_up(ends)

    play(story)
