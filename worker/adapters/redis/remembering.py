"""Remembers what a small hash of Redis holds, so that a process does not read it for each call."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from redis.asyncio import Redis

from worker.adapters.redis.replies import raw, text
from worker.adapters.redis.scripts import redis_answers
from worker.contract.errors import LedgerUnavailableError
from worker.ports import Clock

Value = TypeVar("Value")

_FRESH = 1.0
"""Seconds for which a process works with what it read last."""


class RememberedHash(Generic[Value]):
    """Every field of a hash, at most a second old."""

    def __init__(
        self,
        redis: Redis,
        key: str,
        read: Callable[[str, bytes], Value],
        clock: Clock,
        usable: float = 0.0,
    ) -> None:
        """Keep the connection pool; connects at the first call.

        Args:
            redis: where the hash is.
            key: the hash.
            read: makes a value of a field's name and content.
            clock: tells how old it is.
            usable: seconds for which what was read last is given while Redis does not answer.

        """
        self._redis = redis
        self._key = key
        self._read = read
        self._clock = clock
        self._usable = usable
        self._known: Mapping[str, Value] = {}
        self._read_at = self._asked_at = float("-inf")

    async def all(self) -> Mapping[str, Value]:
        """Return the values by their fields' names; raise LedgerUnavailableError when they are not known any more."""
        now = self._clock.monotonic()
        if now - self._asked_at > _FRESH:
            try:
                self._known = await self._stored()
                self._read_at = now
            except LedgerUnavailableError:
                if now - self._read_at > self._usable:
                    raise
            self._asked_at = now
        return self._known

    async def _stored(self) -> Mapping[str, Value]:
        with redis_answers():
            stored = await self._redis.hgetall(self._key)
        return {text(name): self._read(text(name), raw(packed)) for name, packed in stored.items()}

    def forget(self) -> None:
        """Read it anew at the next call: this process changed it."""
        self._asked_at = float("-inf")
