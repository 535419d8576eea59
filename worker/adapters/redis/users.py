"""Access tokens in Redis, each under a keyed hash of itself: the token is stored nowhere (CONTRACT R64)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson
from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import raw, text
from worker.adapters.redis.scripts import execute, redis_answers
from worker.batching import grouped
from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import TokenGrant, User

_HASH_BYTES = 16
_SCAN = 1000
_NONE: frozenset[Channel] = frozenset()


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant as it is listed: the keyed hash stands for the token that nobody can tell any more."""

    token_id: str
    grant: TokenGrant


class RedisUsers:
    """Implements `registry_ports.Users`, and the administration of tokens."""

    def __init__(self, redis: Redis, keys: Keys, secret: bytes) -> None:
        """Keep the connection pool and the key of the hash, at least 16 bytes."""
        self._redis = redis
        self._keys = keys
        self._secret = blake2b(secret, digest_size=32).digest()

    def token_id(self, token: str) -> str:
        """Return the keyed hash that a token is stored under: 32 hex digits."""
        return blake2b(token.encode(), digest_size=_HASH_BYTES, key=self._secret).hexdigest()

    async def resolve(self, tokens: Sequence[str]) -> list[TokenGrant | None]:
        """Return what each token grants, None for an unknown one, in order."""
        ids = {token: self.token_id(token) for token in set(tokens)}
        by_slot = grouped(ids.values(), self._keys.shard)
        pipeline = self._redis.pipeline(transaction=False)
        for slot in by_slot.values():
            pipeline.mget([self._keys.token(token_id) for token_id in slot])
        results = await execute(pipeline)
        found = {
            token_id: _grant(packed) if packed is not None else None
            for slot, values in zip(by_slot.values(), results, strict=True)
            for token_id, packed in zip(slot, values, strict=True)
        }
        return [found[ids[token]] for token in tokens]

    async def put(self, grants: Sequence[tuple[str, TokenGrant]]) -> None:
        """Store or replace what tokens grant."""
        pipeline = self._redis.pipeline(transaction=False)
        for token, grant in grants:
            pipeline.set(self._keys.token(self.token_id(token)), _pack(grant))
        await execute(pipeline)

    async def revoke(self, token_ids: Sequence[str]) -> int:
        """Forget tokens by their keyed hashes; return how many were known."""
        pipeline = self._redis.pipeline(transaction=False)
        for token_id in token_ids:
            pipeline.delete(self._keys.token(token_id))
        return sum(await execute(pipeline))

    async def all(self) -> AsyncIterator[StoredGrant]:
        """Yield every grant, in no order."""
        with redis_answers():
            async for key in self._redis.scan_iter(match=self._keys.any_token(), count=_SCAN):
                packed = await self._redis.get(key)
                if packed is not None:
                    yield StoredGrant(text(key).rpartition(":")[2], _grant(raw(packed)))


def _pack(grant: TokenGrant) -> bytes:
    user = grant.user
    return orjson.dumps(
        {
            "customerId": user.customer_id,
            "wallet": user.wallet,
            "languages": user.languages,
            "optedOut": sorted(user.opted_out),
            "timeZone": user.time_zone,
            "quietHours": user.quiet_hours and [*user.quiet_hours],
            "appId": grant.app_id,
            "scopes": sorted(grant.scopes),
            "expiresAt": grant.expires_at,
        },
    )


def _grant(packed: bytes) -> TokenGrant:
    fields = orjson.loads(packed)
    quiet_hours, opted_out = fields.get("quietHours"), fields["optedOut"]
    user = User(
        customer_id=fields["customerId"],
        wallet=fields["wallet"],
        languages=tuple(fields["languages"]),
        opted_out=frozenset(map(Channel, opted_out)) if opted_out else _NONE,
        time_zone=fields.get("timeZone"),  # grants that were put before users had one lack it
        quiet_hours=QuietHours(*quiet_hours) if quiet_hours else None,
    )
    return TokenGrant(user, fields["appId"], frozenset(fields["scopes"]), fields["expiresAt"])
