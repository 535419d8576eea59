"""Lints sends for whoever may send them: bytes and headers in, what is to be said of each out. Keeps nothing."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from api_adapter.admitting import Send
from api_adapter.clients import Clients
from api_adapter.linting import Before, Lints, SendLint, lint_part
from api_adapter.reading import Reader, Unread
from api_adapter.taking import SendResult, Sources, unknown
from api_adapter.turns import Turns
from worker.batching import chunks
from worker.contract.codes import UNKNOWN, Result
from worker.contract.errors import LedgerUnavailableError

_PART = 100
"""Sends that are linted at a time: other callers have their turn between."""
_AT_ONCE = 8
"""Parts that use the stores at once: a lint may wait, sends should not."""
_PATIENCE = 8.0

log = structlog.get_logger(__name__)


class Linter:
    """Says what sends would be answered and show."""

    def __init__(self, clients: Clients, sources: Sources, reader: Reader) -> None:
        """Keep the collaborators."""
        self._clients = clients
        self._sources = sources
        self._reader = reader
        self._turns = Turns(_AT_ONCE)

    async def lint(
        self,
        headers: Mapping[str, str],
        bodies: Sequence[Unread],
        before: Before | None = None,
        places: Sequence[int] | None = None,
    ) -> list[SendLint]:
        """Lint sends, in order. Never raises for what a caller or the store does.

        Args:
            headers: of the request, names in lower case.
            bodies: one JSON object each (R15).
            before: what the sends before these would have taken, where these are a part of more.
            places: numbers by which later sends name them, rising; default: from 0.

        """
        try:
            caller = await self._clients.identify(headers)
        except LedgerUnavailableError as error:
            log.warning("lint_unknown", reason=str(error))
            caller = UNKNOWN
        if isinstance(caller, Result):
            return [SendLint(SendResult(caller))] * len(bodies)
        seen = Before() if before is None else before
        found: list[SendLint] = []
        for some in chunks(list(zip(places or range(len(bodies)), bodies, strict=True)), _PART):
            read = [self._reader.read(caller, place, body) for place, body in some]
            linted = await self._lint([send for send in read if isinstance(send, Send)], seen)
            found += [linted[send.place] if isinstance(send, Send) else SendLint(send) for send in read]
        return found

    async def _lint(self, sends: Sequence[Send], before: Before) -> Lints:
        if not sends:
            return {}
        try:
            async with asyncio.timeout(_PATIENCE), self._turns.turn():
                return await lint_part(self._sources, sends, before)
        except (LedgerUnavailableError, TimeoutError) as error:
            return {place: SendLint(answer) for place, answer in unknown(sends, error).items()}
