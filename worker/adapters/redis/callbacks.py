"""Registered callbacks in Redis."""

from collections.abc import Callable, Mapping

import orjson
from redis.asyncio import Redis

from worker.adapters.redis.changing import change_field, remove_field
from worker.adapters.redis.marshalling import outcomes_text
from worker.adapters.redis.registry_keys import REGISTRATIONS_KEY
from worker.adapters.redis.remembering import RememberedHash
from worker.contract.callbacks import CallbackRegistration, Disabled, SealedSecret
from worker.contract.codes import ResultStatus
from worker.contract.errors import TidingsError
from worker.ports import Clock


class _UnchangedError(TidingsError):
    """Nothing is to be stored."""


class RedisCallbacks:
    """Implements `registry_ports.CallbackRegistry`, and its administration."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._clock = clock
        self._known = RememberedHash(redis, REGISTRATIONS_KEY, _registration, clock)

    async def all(self) -> Mapping[str, CallbackRegistration]:
        """Return every registration by its appId, at most a second old."""
        return await self._known.all()

    async def change(
        self,
        app_id: str,
        changed: Callable[[CallbackRegistration | None], CallbackRegistration],
    ) -> CallbackRegistration:
        """Store what becomes of a registration, None: there is none yet; of two changes at once none is lost.

        What `changed` raises is raised, and nothing is stored.
        """
        registration = await change_field(
            self._redis,
            REGISTRATIONS_KEY,
            app_id,
            lambda packed: changed(None if packed is None else _registration(app_id, packed)),
            pack,
        )
        self._known.forget()
        return registration

    async def remove(self, app_id: str) -> bool:
        """Forget a registration; False where it was not known. What waits is given up by whoever would have told it."""
        removed = await remove_field(self._redis, REGISTRATIONS_KEY, app_id)
        self._known.forget()
        return removed

    async def disable(self, app_id: str, url: str, reason: str) -> None:
        """Tell a merchant nothing any more, unless it registered another URL since."""
        disabled = Disabled(self._clock.now(), reason)

        def changed(known: CallbackRegistration | None) -> CallbackRegistration:
            if known is None or known.url != url or known.disabled:
                raise _UnchangedError("nothing to disable")
            return known.disabled_by(disabled)

        try:
            await self.change(app_id, changed)
        except _UnchangedError:
            return


def pack(registration: CallbackRegistration) -> bytes:
    """Return a registration as its hash holds it."""
    return orjson.dumps(
        {
            "url": registration.url,
            "outcomes": outcomes_text(registration.outcomes),
            "secrets": [list(secret) for secret in registration.secrets],
            "disabled": list(registration.disabled) if registration.disabled else None,
        },
    )


def _registration(app_id: str, packed: bytes) -> CallbackRegistration:
    fields = orjson.loads(packed)
    return CallbackRegistration(
        app_id=app_id,
        url=fields["url"],
        outcomes=frozenset(map(ResultStatus, fields["outcomes"])),
        secrets=tuple(SealedSecret(*secret) for secret in fields["secrets"]),
        disabled=Disabled(*fields["disabled"]) if fields["disabled"] else None,
    )
