"""Registered clients in Redis."""

from collections.abc import Callable, Mapping
from ipaddress import ip_network

import orjson
from redis.asyncio import Redis

from worker.adapters.redis.changing import change_field, remove_field
from worker.adapters.redis.registry_keys import CLIENTS_KEY
from worker.adapters.redis.remembering import RememberedHash
from worker.contract.clients import ClientKey, RegisteredClient
from worker.ports import Clock

_USABLE = 60.0
"""Seconds for which clients are known while Redis does not answer: nothing is taken, but callers learn their faults."""


class RedisClients:
    """Implements `registry_ports.ClientRegistry`, and its administration."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._known = RememberedHash(redis, CLIENTS_KEY, _client, clock, _USABLE)

    async def all(self) -> Mapping[str, RegisteredClient]:
        """Return every client by its Client-Id, at most a second old, or a minute while Redis does not answer."""
        return await self._known.all()

    async def change(
        self,
        client_id: str,
        changed: Callable[[RegisteredClient | None], RegisteredClient],
    ) -> RegisteredClient:
        """Store what becomes of a client, None: not known yet, and return it; of two changes at once none is lost.

        What `changed` raises is raised, and nothing is stored.
        """
        client = await change_field(
            self._redis,
            CLIENTS_KEY,
            client_id,
            lambda packed: changed(None if packed is None else _client(client_id, packed)),
            _pack,
        )
        self._known.forget()
        return client

    async def remove(self, client_id: str) -> bool:
        """Forget a client; False where it was not known."""
        removed = await remove_field(self._redis, CLIENTS_KEY, client_id)
        self._known.forget()
        return removed


def _pack(client: RegisteredClient) -> bytes:
    return orjson.dumps(
        {
            "appIds": sorted(client.app_ids),
            "keys": [list(key) for key in client.keys],
            "rate": client.rate,
            "networks": [str(network) for network in client.networks],
        },
    )


def _client(client_id: str, packed: bytes) -> RegisteredClient:
    fields = orjson.loads(packed)
    return RegisteredClient(
        client_id,
        frozenset(fields["appIds"]),
        tuple(ClientKey(*key) for key in fields["keys"]),
        fields["rate"],
        tuple(ip_network(network) for network in fields["networks"]),
    )
