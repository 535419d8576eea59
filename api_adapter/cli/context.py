"""What every verb needs: the settings, the stores, and one clear line on standard error when something is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import typer

from api_adapter.cli.saying import say_aside
from api_adapter.wiring import Front, front
from worker.bootstrap import Addresses, Services, services, stores
from worker.contract.errors import TidingsError
from worker.settings import Settings, read_settings

Outcome = TypeVar("Outcome")

EXIT_USAGE = 2
"""Something the user can mend: a setting, an argument, a file."""
EXIT_INTERRUPTED = 130

__all__ = ["EXIT_INTERRUPTED", "EXIT_USAGE", "Front", "Services", "run", "run_anyway", "run_front", "told"]


@contextmanager
def told() -> Iterator[None]:
    """Turn our errors into one line on standard error and exit code 2, an interrupt into exit code 130."""
    try:
        yield
    except TidingsError as error:
        say_aside(f"tidings: {error}")
        raise typer.Exit(EXIT_USAGE) from None
    except KeyboardInterrupt:
        say_aside("tidings: interrupted")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def run(main: Callable[[Services], Awaitable[Outcome]]) -> Outcome:
    """Run a verb that reads or writes the stores."""

    async def opened(settings: Settings, addresses: Addresses) -> Outcome:
        async with services(settings, addresses) as found:
            await found.ledger.open()
            return await main(found)

    return _with_stores(opened)


def run_front(main: Callable[[Front], Awaitable[Outcome]]) -> Outcome:
    """Run a verb that sends or looks up as a merchant would."""

    async def opened(settings: Settings, addresses: Addresses) -> Outcome:
        async with front(settings, addresses) as found:
            await found.services.ledger.open()
            return await main(found)

    return _with_stores(opened)


def run_anyway(main: Callable[[Settings, Addresses, Services], Awaitable[Outcome]]) -> Outcome:
    """Run a verb that says itself what it finds of a ledger that is away, or is another's."""

    async def opened(settings: Settings, addresses: Addresses) -> Outcome:
        async with services(settings, addresses) as found:
            return await main(settings, addresses, found)

    return _with_stores(opened)


def _with_stores(opened: Callable[[Settings, Addresses], Awaitable[Outcome]]) -> Outcome:
    settings = read_settings()

    async def main(addresses: Addresses) -> Outcome:
        return await opened(settings, addresses)

    with stores(settings) as addresses:
        return asyncio.run(main(addresses))
