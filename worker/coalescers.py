"""The ways of one process to all gateways."""

from worker.breaking import Breakers
from worker.coalescing import Answered, CallLimits, Coalescer
from worker.contract.users import GatewayRoute
from worker.pacing import Paces
from worker.ports import Clock, Gateway


class Coalescers:
    """One Coalescer for each gateway."""

    def __init__(self, gateway: Gateway, breakers: Breakers, paces: Paces, clock: Clock, limits: CallLimits) -> None:
        """Start with none; they are made as routes are met."""
        self._gateway = gateway
        self._breakers = breakers
        self._paces = paces
        self._clock = clock
        self._limits = limits
        self._by_route: dict[GatewayRoute, Coalescer] = {}
        self._stopped = False
        self._answered: Answered

    def wire(self, answered: Answered) -> None:
        """Name who hears of each answer."""
        self._answered = answered

    def to(self, route: GatewayRoute) -> Coalescer:
        """Return the way to a gateway."""
        coalescer = self._by_route.get(route)
        if coalescer is None:
            pace = self._paces.of(route)
            coalescer = Coalescer(route, self._gateway, self._breakers, pace, self._clock, self._limits)
            self._by_route[route] = coalescer
            coalescer.wire(self._answered)
            if self._stopped:
                coalescer.stop()
        return coalescer

    def in_calls(self) -> int:
        """Return how many deliveries are in calls now."""
        return sum(coalescer.in_calls for coalescer in self._by_route.values())

    def stop(self) -> None:
        """Start no call to any gateway any more; see `Coalescer.stop`."""
        self._stopped = True
        for coalescer in self._by_route.values():
            coalescer.stop()
