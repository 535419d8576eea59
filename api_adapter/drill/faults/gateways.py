"""Gateways that are away, slow, silent, or talk nonsense, and networks that lose connections without a word."""

import asyncio

from api_adapter.drill.fault import DELIVERED_OR_UNKNOWN, Fault, undisturbed
from api_adapter.drill.layout import Layout
from api_adapter.drill.sends import WALLET
from api_adapter.drill.stage import Stage
from api_adapter.drill.times import Times

_OVER_LINE = Layout(wallets_over_line=frozenset({WALLET}))


async def _down(stage: Stage) -> None:
    await stage.under_way()
    line = stage.stack.gateway_line
    async with stage.fault():
        line.cut()
        await asyncio.sleep(stage.times.outage)
        await line.open()


async def _behaves(stage: Stage, behaviour: str) -> None:
    await stage.under_way()
    async with stage.fault():
        await stage.stack.behave(behaviour)
        await asyncio.sleep(stage.times.outage)
        await stage.stack.behave(None)


async def _slow(stage: Stage) -> None:
    await _behaves(stage, f"slow-{stage.times.slow}")


async def _silent(stage: Stage) -> None:
    await _behaves(stage, "act-hang")


async def _garbage(stage: Stage) -> None:
    await _behaves(stage, "garbage")


async def _gateway_half_open(stage: Stage) -> None:
    await stage.under_way()
    stage.stack.gateway_line.forget()
    stage.strikes()


async def _redis_half_open(stage: Stage) -> None:
    await stage.under_way()
    stage.stack.store_line.forget()
    stage.strikes()


def _outage(times: Times) -> float:
    return times.outage


FAULTS = (
    Fault("gateway-down", "The gateway refuses connections", _down, _outage, _OVER_LINE),
    Fault(
        "gateway-slow",
        "The gateway shows at once and answers late, after more than a lease",
        _slow,
        _outage,
        check=undisturbed,
    ),
    Fault(
        "gateway-silent",
        "The gateway shows messages and never answers",
        _silent,
        _outage,
        ends=DELIVERED_OR_UNKNOWN,
    ),
    Fault(
        "gateway-garbage",
        "The gateway shows nothing and answers what nobody can read",
        _garbage,
        _outage,
        ends=DELIVERED_OR_UNKNOWN,
    ),
    Fault(
        "half-open-gateway",
        "The network forgets every connection to the gateway: bytes vanish, nobody is told",
        _gateway_half_open,
        layout=_OVER_LINE,
    ),
    Fault(
        "half-open-redis",
        "The network forgets every connection to Redis, of API and workers, ledger and broker",
        _redis_half_open,
        layout=Layout(store_line=True),
    ),
)
