"""What a fault is: a name, what is played, on which stack, and how its messages may end."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from api_adapter.drill.counting import Evidence
from api_adapter.drill.layout import Layout
from api_adapter.drill.sends import Send, ordinary
from api_adapter.drill.stage import Stage
from api_adapter.drill.times import Times
from worker.contract.codes import ResultStatus

DELIVERED = frozenset({ResultStatus.S})
DELIVERED_OR_UNKNOWN = frozenset({ResultStatus.S, ResultStatus.U})


PLAIN = Layout()


def _no_time(_times: Times) -> float:
    return 0.0


def _nothing_more(_evidence: Evidence) -> Iterator[str]:
    return iter(())


def undisturbed(evidence: Evidence) -> Iterator[str]:
    """Yield what shows that somebody lost what it held: where that is not a part of the fault, it must not be."""
    crashed = sum(story.crashes > 0 for story in evidence.stories)
    if crashed:
        yield f"{crashed} deliveries crashed: their lease ended before their worker had settled them"
    asked = Counter(key for call in evidence.calls for key in call.message_ids)
    again = sum(number > 1 for number in asked.values())
    if again:
        yield f"{again} deliveries were asked of the gateway more than once"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the catalogue."""

    name: str
    says: str
    """What happens, for people; a sentence without its full stop."""
    play: Callable[[Stage], Coroutine[Any, Any, None]]
    """Returns when the fault is over; the load goes on meanwhile and for a while after it."""
    lasts: Callable[[Times], float] = _no_time
    """About how many seconds `play` takes once the load is under way."""
    layout: Layout = PLAIN
    sends: Callable[[int], tuple[Send, ...]] = ordinary
    """What is sent, for a number of messages."""
    ends: frozenset[ResultStatus] = DELIVERED
    """How a delivery may end."""
    check: Callable[[Evidence], Iterator[str]] = _nothing_more
    """Yields what is wrong beside the numbers of the row."""
    at_risk: bool = False
    """Whether messages may be lost: outside of the zero rule, and the row says so."""
