"""All access tokens that Redis has, as they are listed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from redis.asyncio import Redis

from worker.adapters.redis.grants import read_grant
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import raw, text
from worker.adapters.redis.scripts import redis_answers
from worker.contract.users import TokenGrant

_SCAN = 1000


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant as it is listed: the keyed hash stands for the token that nobody can tell any more."""

    token_id: str
    grant: TokenGrant


async def stored_grants(redis: Redis, keys: Keys) -> AsyncIterator[StoredGrant]:
    """Yield every grant, in no order."""
    with redis_answers():
        async for key in redis.scan_iter(match=keys.any_token(), count=_SCAN):
            packed = await redis.get(key)
            if packed is not None:
                yield StoredGrant(text(key).rpartition(":")[2], read_grant(raw(packed)))
