"""What a Redis keeps of what it was told: whether it evicts, persists and is the right server at all.

CONFIG may be forbidden, as managed services do. INFO says most of it; what neither says is told as not seen.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from worker.adapters.redis.connection import connect
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import redis_answers
from worker.contract.errors import LedgerUnavailableError
from worker.contract.findings import Finding, Severity

_OLDEST = (7, 0)
"""Scripts say `#!lua flags=...`, which older servers do not read."""
_PATIENCE = 1.0
"""Seconds for a broker that is away: whoever asks wants to know of the ledger."""
_NEARLY_FULL = 0.9
_UNSEEN_FSYNC = Finding(
    Severity.WARNING,
    "appendfsync can't be seen, as CONFIG GET is not allowed",
    "ask whoever runs this Redis: `always` keeps what was answered with S, `everysec` may lose the last second",
)
_UNSEEN = Finding(
    Severity.WARNING,
    "what it keeps can't be seen, as INFO is not allowed",
    "allow its user INFO and CONFIG GET, or ask whoever runs it",
)


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server says of itself; None: it did not say."""

    version: tuple[int, ...] | None
    replica: bool
    used: int
    """Bytes."""
    most: int
    """Bytes of `maxmemory`; 0: no bound."""
    policy: str | None
    appends: bool | None
    """Whether it writes an append-only file."""
    append_works: bool
    """Whether the newest write to that file did not fail."""
    fsync: str | None


class RedisDurability:
    """Implements `ports.Durability` for the ledger's server and, if it is another Redis, the broker's."""

    def __init__(self, redis: Redis, broker_url: str = "") -> None:
        """Keep the ledger's client; `broker_url` is empty where there is nothing to be asked."""
        self._redis = redis
        self._broker_url = broker_url

    async def findings(self) -> list[Finding]:
        """Return what is wrong with the ledger's server; raises LedgerUnavailableError."""
        state = await server_state(self._redis)
        return list(of_ledger(state)) if state else [_UNSEEN]

    async def broker_findings(self) -> list[Finding]:
        """Return what is wrong with a broker's Redis; nothing of one that is away: that is seen elsewhere."""
        if not self._broker_url:
            return []
        redis = connect(self._broker_url)
        try:
            async with asyncio.timeout(_PATIENCE):
                state = await server_state(redis)
        except (LedgerUnavailableError, TimeoutError):
            return []
        finally:
            await redis.aclose()
        return list(of_broker(state)) if state else []


async def server_state(redis: Redis) -> ServerState | None:
    """Ask a server; None where it may not be asked. Raises LedgerUnavailableError."""
    with redis_answers():
        try:
            info: Mapping[str, Any] = await redis.info()
        except ResponseError as error:
            if _is_refusal(error):
                return None
            raise
        try:
            configured: Mapping[Any, Any] = await redis.config_get("appendfsync")
        except ResponseError:
            configured = {}
    fsync = configured.get("appendfsync")
    appends = info.get("aof_enabled")
    return ServerState(
        version=_version(str(info.get("redis_version", ""))),
        replica=info.get("role") == "slave",
        used=int(info.get("used_memory", 0)),
        most=int(info.get("maxmemory", 0)),
        policy=info.get("maxmemory_policy"),
        appends=None if appends is None else bool(int(appends)),
        append_works=info.get("aof_last_write_status", "ok") == "ok",
        fsync=None if fsync is None else text(fsync),
    )


def _is_refusal(error: ResponseError) -> bool:
    return isinstance(error, NoPermissionError) or str(error).startswith("unknown command")


def _version(written: str) -> tuple[int, ...] | None:
    parts = re.match(r"(\d+)\.(\d+)", written)
    return (int(parts[1]), int(parts[2])) if parts else None


def of_ledger(state: ServerState) -> Iterator[Finding]:
    """Yield what is wrong with a server that holds a ledger. Pure."""
    if state.version is not None and state.version < _OLDEST:
        written = ".".join(map(str, state.version))
        yield Finding(Severity.ERROR, f"Redis {written} is too old", "use Redis 7 or Valkey, or a later one")
    if state.replica:
        what = "it is a replica: it takes no writes, and may lag behind"
        yield Finding(Severity.ERROR, what, "let TIDINGS_REDIS_URL name the master")
    yield from _persistence(state)
    yield from _memory(state, "messages vanish without a trace", "caps on messages are forgotten early")


def of_broker(state: ServerState) -> Iterator[Finding]:
    """Yield what is wrong with a server that holds a broker: hints may be lost, but not as a habit. Pure."""
    yield from _memory(state, "hints vanish, and messages wait until they fall due", "nothing of the broker is lost")


def _persistence(state: ServerState) -> Iterator[Finding]:
    if state.appends is None:
        yield Finding(Severity.WARNING, "whether it persists can't be seen", "see to it that appendonly is yes")
        return
    if not state.appends:
        yield Finding(
            Severity.WARNING,
            "it writes no append-only file: when it dies, what was taken since its last snapshot is lost",
            "set appendonly yes and appendfsync always",
        )
        return
    if not state.append_works:
        what = "it can't write its append-only file, so it takes nothing"
        yield Finding(Severity.ERROR, what, "see its log: most of the time its disk is full")
    if state.fsync is None:
        yield _UNSEEN_FSYNC
    elif state.fsync == "no":
        yield Finding(
            Severity.WARNING,
            "appendfsync is no: a power loss may cost whatever the system had not written, often 30 s",
            "set appendfsync always, or everysec where the last second may be lost",
        )


def _memory(state: ServerState, loss: str, loss_of_volatile: str) -> Iterator[Finding]:
    if state.policy is None:
        what = "whether it evicts can't be seen"
        yield Finding(Severity.WARNING, what, "see to it that maxmemory-policy is noeviction")
    if not state.most:
        return
    if state.policy and state.policy.startswith("allkeys"):
        what = f"it evicts ({state.policy}): when it is full, {loss}"
        yield Finding(Severity.ERROR, what, "set maxmemory-policy noeviction")
    elif state.policy and state.policy.startswith("volatile"):
        what = f"it evicts keys that expire ({state.policy}): when it is full, {loss_of_volatile}"
        yield Finding(Severity.WARNING, what, "set maxmemory-policy noeviction")
    if state.used >= _NEARLY_FULL * state.most:
        share = f"{100 * state.used // state.most} % of maxmemory is used"
        yield Finding(Severity.WARNING, share, "raise maxmemory before sends are answered with U")
