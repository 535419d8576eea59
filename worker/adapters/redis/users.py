"""Access tokens in Redis, each under a keyed hash of itself: the token is stored nowhere (CONTRACT R64)."""

from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b

from redis.asyncio import Redis

from worker.adapters.redis.grants import pack_grant, read_grant
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.scripts import execute
from worker.adapters.redis.token_listing import StoredGrant, stored_grants
from worker.contract.users import TokenGrant

_HASH_BYTES = 16


class RedisUsers:
    """Implements `registry_ports.Users`, and the administration of tokens."""

    def __init__(self, redis: Redis, keys: Keys, secret: bytes) -> None:
        """Keep the connection pool and the key of the hash, at least 16 bytes."""
        self._redis = redis
        self._keys = keys
        key = blake2b(secret, digest_size=32).digest()
        # The key, of one length, before the token and not as BLAKE2's own: most tokens take one block instead of two.
        self._keyed = blake2b(key, digest_size=_HASH_BYTES, person=b"tidings-token")

    def token_id(self, token: str) -> str:
        """Return the keyed hash that a token is stored under: 32 hex digits."""
        found = self._keyed.copy()
        found.update(token.encode())
        return found.hexdigest()

    async def resolve(self, tokens: Sequence[str]) -> list[TokenGrant | None]:
        """Return what each token grants, None for an unknown one, in order."""
        ids = [self.token_id(token) for token in tokens]
        keys = self._keys
        by_shard: dict[int, list[int]] = {}
        for place, token_id in enumerate(ids):
            by_shard.setdefault(keys.shard(token_id), []).append(place)
        pipeline = self._redis.pipeline(transaction=False)
        for shard, places in by_shard.items():
            pipeline.mget(keys.tokens(shard, [ids[place] for place in places]))
        grants: list[TokenGrant | None] = [None] * len(tokens)
        for places, values in zip(by_shard.values(), await execute(pipeline), strict=True):
            for place, packed in zip(places, values, strict=True):
                if packed is not None:
                    grants[place] = read_grant(packed)
        return grants

    async def put(self, grants: Sequence[tuple[str, TokenGrant]]) -> None:
        """Store or replace what tokens grant."""
        pipeline = self._redis.pipeline(transaction=False)
        for token, grant in grants:
            pipeline.set(self._keys.token(self.token_id(token)), pack_grant(grant))
        await execute(pipeline)

    async def revoke(self, token_ids: Sequence[str]) -> int:
        """Forget tokens by their keyed hashes; return how many were known."""
        pipeline = self._redis.pipeline(transaction=False)
        for token_id in token_ids:
            pipeline.delete(self._keys.token(token_id))
        return sum(await execute(pipeline))

    def all(self) -> AsyncIterator[StoredGrant]:
        """Return every grant, in no order."""
        return stored_grants(self._redis, self._keys)
