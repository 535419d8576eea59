"""Users as the authorization server knows them: asked once a token and while, many tokens at a time."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

from worker.adapters.introspection.answers import AnswerReader
from worker.adapters.introspection.cache import MISS, CacheLimits, GrantCache
from worker.adapters.introspection.errors import NotIntrospectedError
from worker.adapters.introspection.line import Line, LineLimits
from worker.contract.users import TokenGrant, Unresolved
from worker.ports import Clock

Resolution: TypeAlias = TokenGrant | Unresolved | None

_HASH_BYTES = 16
_PATIENCE = 5.0
"""Seconds that the sends of a part wait for the tokens among them that are asked for; shorter than intake's own."""
_MOST_WAITING = 10_000
"""Tokens asked for at once; sends with others are answered U."""
_LATE = Unresolved("the authorization server is slow: the token was asked for, and no answer was there in time")
_CROWDED = Unresolved("too many tokens wait for the authorization server")


@dataclass(frozen=True, slots=True)
class IntrospectionLimits:
    """What the settings say of the calls, the breaker and what is remembered."""

    line: LineLimits
    cache: CacheLimits


class IntrospectedUsers:
    """Implements `registry_ports.Users` by token introspection, on one asyncio loop."""

    def __init__(
        self, ask: Callable[[str], Awaitable[bytes]], reader: AnswerReader, clock: Clock, limits: IntrospectionLimits
    ) -> None:
        """Ask by `ask`, which raises NotIntrospectedError where there is no answer."""
        self._ask = ask
        self._reader = reader
        self._line = Line(clock, limits.line)
        self._cache = GrantCache(clock, limits.cache)
        self._key = secrets.token_bytes(32)
        self._asked: dict[bytes, asyncio.Task[Resolution]] = {}

    async def resolve(self, tokens: Sequence[str]) -> list[Resolution]:
        """Return what each token grants, None for one that is not active, in order.

        The same token is asked for once at a time, whoever waits for it. What is asked for when a caller gives up goes
        on, so that a repeat finds it.
        """
        found: dict[str, Resolution] = {}
        asked: dict[str, asyncio.Task[Resolution]] = {}
        for token in set(tokens):
            token_id = self._token_id(token)
            known = self._cache.get(token_id)
            if known is not MISS:
                found[token] = known
            elif (task := self._asking(token_id, token)) is not None:
                asked[token] = task
            else:
                found[token] = _CROWDED
        if asked:
            await asyncio.wait(asked.values(), timeout=_PATIENCE)
        found |= {token: task.result() if task.done() else _LATE for token, task in asked.items()}
        return [found[token] for token in tokens]

    async def close(self) -> None:
        """Give up what is asked for."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _token_id(self, token: str) -> bytes:
        """Return what stands for a token here: nobody who reads this process' memory finds it under its own name."""
        return blake2b(token.encode(), digest_size=_HASH_BYTES, key=self._key).digest()

    def _asking(self, token_id: bytes, token: str) -> "asyncio.Task[Resolution] | None":
        """Return the task that asks for a token, a new one where there is none and not too many ask already."""
        task = self._asked.get(token_id)
        if task is None and len(self._asked) < _MOST_WAITING:
            task = self._asked[token_id] = asyncio.create_task(self._introspect(token_id, token))
            task.add_done_callback(lambda _: self._asked.pop(token_id))
        return task

    async def _introspect(self, token_id: bytes, token: str) -> Resolution:
        try:
            grant = self._reader.read(await self._line.call(lambda: self._ask(token)))
        except NotIntrospectedError as error:
            return Unresolved(str(error))
        if grant is None:
            return self._cache.deny(token_id)
        self._cache.keep(token_id, grant)
        return grant
