"""Many bad messages among good ones: a merchant that floods a dead gateway, and messages that kill their workers."""

import asyncio
from collections.abc import Iterator
from itertools import count

import orjson

from api_adapter.drill.counting import Evidence, Story, first_shown
from api_adapter.drill.fault import DELIVERED_OR_UNKNOWN, Fault
from api_adapter.drill.layout import SABOTAGED, Crew, Layout
from api_adapter.drill.row import RECOVERED
from api_adapter.drill.sends import SECOND_WALLET, Send, Via, ordinary
from api_adapter.drill.stage import Stage
from worker.contract.codes import ResultStatus
from worker.contract.messages import DeadCause

_FLOOD = "flood"
_FLOOD_SHARE = 4
"""Messages of the flood for each of the others."""
_FLOOD_SECONDS = 2.0
_POISON = "poison"
_MOST_POISON = 200
_MOST_CRASHES = 2
_GOOD_FOR_EACH_POISON = 20


async def _flood(stage: Stage) -> None:
    stage.stack.gateway_line.swallow()
    await stage.under_way()
    async with stage.fault():
        await stage.load.flood([send for send in stage.sends if send.via is Via.FAULT], _FLOOD_SECONDS)
        await asyncio.sleep(stage.times.outage)
        stage.stack.gateway_line.heal()


def _flooded(messages: int) -> tuple[Send, ...]:
    others = messages // (_FLOOD_SHARE + 1)
    flood = (
        Send(f"{_FLOOD}-{number:06d}", f"{_FLOOD}-{number % 100}", Via.FAULT, "flood-app", SECOND_WALLET)
        for number in range(messages - others)
    )
    return (*ordinary(others), *flood)


def _others_not_delayed(evidence: Evidence) -> Iterator[str]:
    shown = first_shown(evidence.calls)
    others = [story for story in evidence.stories if not story.request_id.startswith(_FLOOD)]
    late = [story for story in others if _waited(story, shown.get(story.key)) > RECOVERED]
    if late:
        yield f"{len(late)} deliveries of others waited for more than {RECOVERED:.0f} s, such as {late[0].request_id}"


def _waited(story: Story, shown_at: int | None) -> float:
    return float("inf") if shown_at is None else (shown_at - story.taken_at) / 1000


async def _all_the_time(_stage: Stage) -> None:
    """Leave it to the layout."""


def _poisoned(messages: int) -> tuple[Send, ...]:
    """Return good notices with poison spread among them: one for 20 of them, 200 at most."""
    number = max(1, min(_MOST_POISON, messages // _GOOD_FOR_EACH_POISON))
    good = ordinary(messages - number)
    every = len(good) // number
    numbers = count()
    sends: list[Send] = []
    for start in range(0, len(good), every):
        if (this := next(numbers)) < number:
            sends.append(Send(f"{_POISON}-{this:03d}", f"{_POISON}-{this:03d}"))
        sends += good[start : start + every]
    return tuple(sends)


def _all_as_they_must_be(evidence: Evidence) -> Iterator[str]:
    yield from _poison_alone_is_dead(evidence)
    # Once as one of many in the same hands, once more as one of few suspects; then it is claimed alone.
    crashed = sum(story.crashes > _MOST_CRASHES for story in evidence.stories if not story.dead)
    if crashed:
        yield f"{crashed} good deliveries crashed more than {_MOST_CRASHES} times"


def _poison_alone_is_dead(evidence: Evidence) -> Iterator[str]:
    for story in evidence.stories:
        is_poison = story.request_id.startswith(_POISON)
        expected = (ResultStatus.U, DeadCause.POISON.value) if is_poison else (ResultStatus.S, "")
        if (story.state, story.dead) != expected:
            yield f"{story.request_id} is {story.state} {story.dead}, it must be {' '.join(expected)}"


_DEADLY = Crew(
    SABOTAGED,
    {"POISON": orjson.dumps([f"{_POISON}-{number:03d}" for number in range(_MOST_POISON)]).decode()},
)

FAULTS = (
    Fault(
        "flood",
        "A merchant sends four times what all others send, at once, to a gateway that takes calls and never answers",
        _flood,
        lambda times: _FLOOD_SECONDS + times.outage,
        Layout(wallets_over_line=frozenset({SECOND_WALLET})),
        _flooded,
        DELIVERED_OR_UNKNOWN,
        _others_not_delayed,
    ),
    Fault(
        "poison",
        "Up to 200 messages among good ones kill whoever sends them, always: dead letters, and only those",
        _all_the_time,
        layout=Layout(crews=(_DEADLY, _DEADLY)),
        sends=_poisoned,
        ends=DELIVERED_OR_UNKNOWN,
        check=_all_as_they_must_be,
    ),
)
