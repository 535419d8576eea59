"""Redis, ledger and broker, killed, without power, emptied, or full."""

import asyncio
from functools import partial

from api_adapter.drill.fault import DELIVERED_OR_UNKNOWN, Fault
from api_adapter.drill.layout import BROKER, Fsync, Layout
from api_adapter.drill.sends import and_one_more
from api_adapter.drill.stack import REDIS
from api_adapter.drill.stage import Stage
from api_adapter.drill.store import Store
from api_adapter.drill.times import Times

_FLUSHES = 5
_UNSYNCED = 0.8
"""Seconds of writes that a power loss takes with it: Redis syncs once a second under `everysec`."""
_STILL = 0.1
"""Seconds in which nothing was written: then everything that was asked for is on the disk and answered."""


async def _killed(stage: Stage) -> None:
    await stage.under_way()
    await _kill_and_restart(stage)


async def _kill_and_restart(stage: Stage) -> None:
    async with stage.fault():
        stage.stack.parts.kill(REDIS)
        await asyncio.sleep(stage.times.absence)
        await _back(stage)


async def _killed_between_syncs(stage: Stage) -> None:
    await stage.under_way()
    await stage.until(lambda: _syncs_not(stage), "a moment without an fsync")
    await _kill_and_restart(stage)


async def _power_lost_always(stage: Stage) -> None:
    await stage.under_way()
    line, store = stage.stack.store_line, stage.stack.store
    # Until all that was asked for is synced and answered: the last fsync.
    line.hold_requests()
    synced = await _still(stage)
    is_written = partial(_is_longer, store, synced)
    async with asyncio.TaskGroup() as group, stage.fault():
        # Written, and answered to nobody: what Redis does while the next fsync has not come back.
        line.hold_replies(is_written)
        # The load may be over by now.
        group.create_task(stage.load.post(stage.sends[-1]))
        await stage.until(lambda: asyncio.to_thread(is_written), "a write that is not answered")
        stage.stack.parts.kill(REDIS)
        line.drop()
        store.lose_power(synced)
        await asyncio.sleep(stage.times.absence)
        await _back(stage)


async def _power_lost_everysec(stage: Stage) -> None:
    await stage.under_way()
    store = stage.stack.store
    synced = await store.synced()
    await asyncio.sleep(_UNSYNCED)
    async with stage.fault():
        stage.stack.parts.kill(REDIS)
        store.lose_power(synced)
        await asyncio.sleep(stage.times.absence)
        await _back(stage)


async def _restarted_while_idle(stage: Stage) -> None:
    await stage.under_way()
    stage.load.pause()
    await stage.until(lambda: _all_settled(stage), "the first half to be settled")
    await _kill_and_restart(stage)
    stage.load.go_on()


async def _broker_flushed(stage: Stage) -> None:
    await stage.under_way()
    async with stage.fault():
        for _ in range(_FLUSHES):
            await stage.stack.store.flush(BROKER)
            await asyncio.sleep(stage.times.sweep / _FLUSHES)


async def _full(stage: Stage) -> None:
    await stage.under_way()
    async with stage.fault():
        await stage.stack.store.fill_up()
        await asyncio.sleep(stage.times.absence)
        await stage.stack.store.make_room()


async def _back(stage: Stage) -> None:
    stage.stack.parts.again(REDIS)
    await stage.stack.parts.until_ready(REDIS)


async def _syncs_not(stage: Stage) -> bool:
    return not await stage.stack.store.syncs()


async def _still(stage: Stage) -> int:
    size, journal = -1, stage.stack.store.journal
    while (now := journal.stat().st_size) != size:
        size = now
        await asyncio.sleep(_STILL)
    return size


def _is_longer(store: Store, size: int) -> bool:
    return store.journal.stat().st_size > size


async def _all_settled(stage: Stage) -> bool:
    tally = await stage.tally()
    return tally.accepted > 0 and not tally.open


def _absence(times: Times) -> float:
    return times.absence


FAULTS = (
    Fault("redis-killed-always", "SIGKILL of Redis with `appendfsync always`, restart", _killed, _absence),
    Fault(
        "redis-killed-everysec",
        "SIGKILL of Redis with `appendfsync everysec` while no fsync is under way, restart",
        _killed_between_syncs,
        _absence,
        Layout(fsync=Fsync.EVERYSEC),
    ),
    Fault(
        "power-lost-always",
        "SIGKILL of Redis with `appendfsync always`, its file cut back to the last fsync, restart",
        _power_lost_always,
        _absence,
        Layout(store_line=True),
        sends=and_one_more,
    ),
    Fault(
        "power-lost-everysec",
        "The same with `appendfsync everysec`: what Redis took in the last second is gone",
        _power_lost_everysec,
        _absence,
        Layout(fsync=Fsync.EVERYSEC),
        ends=DELIVERED_OR_UNKNOWN,
        at_risk=True,
    ),
    Fault(
        "redis-restarted-idle", "SIGKILL and restart of Redis while nothing is sent", _restarted_while_idle, _absence
    ),
    Fault("broker-flushed", "All hints are erased, five times within a sweep", _broker_flushed),
    Fault("redis-full", "Redis refuses writes: out of memory, `noeviction`", _full, _absence),
)
