"""Wallets and their caps in Redis."""

from collections.abc import Mapping, Sequence

import orjson
from redis.asyncio import Redis

from worker.adapters.redis.changing import remove_field
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.registry_keys import WALLETS_KEY
from worker.adapters.redis.remembering import RememberedHash
from worker.adapters.redis.scripts import Call, Script, redis_answers, run
from worker.contract.messages import Channel
from worker.contract.users import GatewayRoute, SendCap, Wallet
from worker.limit_ports import CapRequest, CapUse
from worker.ports import Clock

_RESERVE = Script.read("reserve_cap")
_COUNT = Script.read("count_cap")


class RedisWallets:
    """Implements `registry_ports.Wallets`, and their administration."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._known = RememberedHash(redis, WALLETS_KEY, _wallet, clock)

    async def all(self) -> Mapping[str, Wallet]:
        """Return every wallet by its name, at most a second old."""
        return await self._known.all()

    async def put(self, wallet: Wallet) -> None:
        """Store or replace a wallet."""
        with redis_answers():
            await self._redis.hset(WALLETS_KEY, wallet.name, _pack(wallet))
        self._known.forget()

    async def remove(self, name: str) -> bool:
        """Forget a wallet; False where it was not known."""
        removed = await remove_field(self._redis, WALLETS_KEY, name)
        self._known.forget()
        return removed


class RedisCaps:
    """Implements `limit_ports.Caps`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys

    async def reserve(self, requests: Sequence[CapRequest]) -> list[bool]:
        """Count each message once, however often it is asked; False where the cap is reached."""
        calls = []
        for request in requests:
            key = self._keys.cap(request.app_id, request.user)
            calls.append(Call(_RESERVE, [key], ["", request.cap.messages, request.cap.period, request.message_id]))
        return [bool(codes[0]) for codes in await run(self._redis, calls)]

    async def uses(self, requests: Sequence[CapRequest]) -> list[CapUse]:
        """Return how much of each cap is used; nothing is counted."""
        calls = []
        for request in requests:
            key = self._keys.cap(request.app_id, request.user)
            calls.append(Call(_COUNT, [key], ["", request.cap.period, request.message_id]))
        return [CapUse(messages, bool(counted)) for messages, counted in await run(self._redis, calls)]


def _pack(wallet: Wallet) -> bytes:
    return orjson.dumps(
        {
            "gateways": [
                {
                    "name": gateway.name,
                    "url": gateway.url,
                    "channels": sorted(gateway.channels),
                    "inquiry": gateway.inquiry,
                    "rate": gateway.rate,
                }
                for gateway in wallet.gateways
            ],
            "cap": [wallet.cap.messages, wallet.cap.period] if wallet.cap else None,
        },
    )


def _wallet(name: str, packed: bytes) -> Wallet:
    fields = orjson.loads(packed)
    gateways = tuple(
        GatewayRoute(
            gateway["name"],
            gateway["url"],
            frozenset(Channel(channel) for channel in gateway["channels"]),
            gateway["inquiry"],
            gateway.get("rate"),
        )
        for gateway in fields["gateways"]
    )
    return Wallet(name, gateways, SendCap(*fields["cap"]) if fields["cap"] else None)
