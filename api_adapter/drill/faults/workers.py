"""Workers that are killed, stopped, told to end, deaf, or whose clock is wrong."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api_adapter.drill.fault import Fault, undisturbed
from api_adapter.drill.layout import DEAF, SABOTAGED, Crew, Layout
from api_adapter.drill.moments import Moment
from api_adapter.drill.stage import Stage

_NTH = 3
"""At which claim, call or settlement a child is killed: early in the load, also in a small one."""
_TEN_MINUTES = 600_000
_MOMENTS = {
    Moment.BEFORE_CLAIM: "with a hint in hand, before it claims",
    Moment.AFTER_CLAIM: "after the ledger leased it messages",
    Moment.MID_SEND: "while its call is on the way",
    Moment.BEFORE_SETTLE: "with answers in hand, before it records them",
}


async def _child_killed(stage: Stage) -> None:
    await stage.logged(stage.stack.workers[0], "signal 9 (SIGKILL)")
    stage.strikes()


@asynccontextmanager
async def _calls_in_flight(stage: Stage) -> AsyncIterator[None]:
    """Let calls take a while until the end of the block, so that workers have some in flight at any moment."""
    await stage.stack.behave(f"slow-{int(100 * stage.times.lease)}")
    await stage.under_way()
    yield
    await stage.stack.behave(None)


async def _worker_killed(stage: Stage) -> None:
    parts, workers = stage.stack.parts, stage.stack.workers
    async with _calls_in_flight(stage), stage.fault():
        for name in workers:
            parts.kill(name)
        for name in workers:
            parts.again(name)
    await parts.until_ready(*workers)


async def _worker_stopped(stage: Stage) -> None:
    worker = stage.stack.parts[stage.stack.workers[0]]
    async with _calls_in_flight(stage):
        async with stage.fault():
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(stage.times.frozen)
            worker.send(signal.SIGCONT)
        stage.thawed()


async def _worker_told_to_end(stage: Stage) -> None:
    parts, name = stage.stack.parts, stage.stack.workers[0]
    async with _calls_in_flight(stage), stage.fault():
        await parts.stop(name)
        parts.again(name)
    await parts.until_ready(name)


async def _worker_deaf(stage: Stage) -> None:
    await stage.under_way()
    name = stage.stack.workers[0]
    os.kill(stage.stack.parts[name].pid, signal.SIGUSR2)
    await stage.logged(name, "deaf_from_now_on")
    stage.strikes()


async def _all_the_time(_stage: Stage) -> None:
    """Leave it to the layout."""


def _sabotaged(**sabotage: object) -> Layout:
    """Return a stack whose first worker fails on purpose."""
    return Layout(crews=(Crew(SABOTAGED, {name.upper(): str(text) for name, text in sabotage.items()}), Crew()))


FAULTS = (
    *(
        Fault(f"child-{moment}", f"SIGKILL of a worker's child {says}", _child_killed, layout=layout)
        for moment, says in _MOMENTS.items()
        for layout in [_sabotaged(kill=moment, nth=_NTH)]
    ),
    Fault("worker-killed", "SIGKILL of every worker with all its children; they are started again", _worker_killed),
    Fault(
        "worker-stopped",
        "SIGSTOP of a worker for longer than a lease, with calls in flight, then SIGCONT",
        _worker_stopped,
        lasts=lambda times: times.frozen,
    ),
    Fault(
        "worker-told-to-end",
        "SIGTERM of a worker under load, then it is started again, as in a rolling restart",
        _worker_told_to_end,
        check=undisturbed,
    ),
    Fault(
        "worker-deaf",
        "The only worker stays connected and takes no hint any more; its watchdog has to notice",
        _worker_deaf,
        layout=Layout(crews=(Crew(DEAF),)),
    ),
    Fault(
        "clock-off",
        "The clock of one worker is ten minutes fast all the time",
        _all_the_time,
        layout=_sabotaged(clock_offset=_TEN_MINUTES),
    ),
)
