"""Which rate limits a send comes under, and what they say to the sends of a part (CONTRACT R36)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from api_adapter.admitting import Send
from api_adapter.clients import Caller
from worker.contract.codes import Result, ResultCode
from worker.contract.rates import Grant, LimitedBy, RateLimit
from worker.limit_ports import Rates

ANY_APP = "*"
"""Stands for every appId that has no rate of its own."""
_WHOSE = {LimitedBy.CLIENT: "this client", LimitedBy.APP: "this appId"}

LimitsOf: TypeAlias = Callable[[Caller, str], tuple[RateLimit, ...]]
"""Gives the limits of a caller's sends for an appId, the narrowest first."""


class Allowance(NamedTuple):
    """What one limit said to one send."""

    limit: RateLimit
    left: int
    """How many more would be let through now."""
    wait: int
    """Milliseconds until one more, or this one if it was refused, is let through; 0: now."""
    refused: bool = False

    @property
    def result(self) -> Result:
        """The answer to a send that was refused."""
        whose = _WHOSE[self.limit.by]
        text = f"{whose} may send {self.limit.rate} a second; send it again in {self.wait / 1000:.3g} s"
        return Result.refused(ResultCode.REQUEST_TRAFFIC_EXCEED_LIMIT, text)


Allowances: TypeAlias = dict[int, tuple[Allowance, ...]]
"""What its limits said to each send of a part, by its place; sends without limits are not in it."""


def unlimited(_caller: Caller, _app_id: str) -> tuple[RateLimit, ...]:
    """Give no limit: for sends of the operator."""
    return ()


def limited(app_rates: Mapping[str, int]) -> LimitsOf:
    """Return the limits of merchants: those that the settings give their appIds, and those of registered clients."""

    def limits_of(caller: Caller, app_id: str) -> tuple[RateLimit, ...]:
        app_rate = app_rates.get(app_id, app_rates.get(ANY_APP)) if app_rates else None
        by_app = () if app_rate is None else (RateLimit(LimitedBy.APP, app_id, app_rate),)
        by_client = caller.registered.rate_limit if caller.registered else None
        return by_app if by_client is None else (*by_app, by_client)

    return limits_of


async def allowances(rates: Rates, sends: Sequence[Send]) -> Allowances:
    """Have every limit let its sends through, in order; one that the first limit refused does not ask the next.

    One round trip where no send has more than one limit. Raises LedgerUnavailableError.
    """
    found: Allowances = {}
    asking = sends
    for turn in range(max((len(send.limits) for send in asking), default=0)):
        asking = [send for send in asking if len(send.limits) > turn and not refusal(found.get(send.place, ()))]
        grants = await rates.take(Counter(send.limits[turn] for send in asking))
        for place, allowance in _shared_out(asking, turn, grants):
            found[place] = (*found.get(place, ()), allowance)
    return found


def refusal(allowed: Sequence[Allowance]) -> Result | None:
    """Return the answer to a send that one of its limits refused, else None."""
    return next((allowance.result for allowance in allowed if allowance.refused), None)


def _shared_out(sends: Sequence[Send], turn: int, grants: Mapping[RateLimit, Grant]) -> Iterable[tuple[int, Allowance]]:
    asked: dict[RateLimit, int] = defaultdict(int)
    for send in sends:
        limit = send.limits[turn]
        grant, before = grants[limit], asked[limit]
        asked[limit] += 1
        if before < grant.taken:
            yield send.place, Allowance(limit, grant.left, grant.wait)
        else:
            yield send.place, Allowance(limit, 0, limit.wait(grant, before - grant.taken), refused=True)
