"""Deliveries ready to go over the wire, and the line in which they wait for a call to one gateway (R65)."""

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from worker.contract.answers import WalletMessage
from worker.contract.messages import Channel, Lane
from worker.holding import Held
from worker.routing import Errand

CALL_SIZE = 20
"""Most messages of any call (R65)."""


class Parcel(NamedTuple):
    """One delivery, ready to go over the wire."""

    held: Held
    channel: Channel
    message: WalletMessage
    call_size: int
    """Most messages of the call that this one may be sent in."""
    errand: Errand = Errand.SEND
    fallbacks: tuple[str, ...] = ()
    """Names of the other gateways that may have it instead."""

    @property
    def travels_with(self) -> int:
        """Most messages of its next call."""
        return self.call_size if self.errand is Errand.SEND else CALL_SIZE


class Line:
    """Parcels that wait, interactive sends before what batches left here."""

    def __init__(self, most: int) -> None:
        """Start empty; hold `most` parcels."""
        self._most = most
        self._by_lane: dict[Lane, deque[Parcel]] = {lane: deque() for lane in Lane}

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._by_lane.values()))

    @property
    def first_lane(self) -> Lane:
        """The lane of the parcel that is next."""
        return next((lane for lane, parcels in self._by_lane.items() if parcels), Lane.BULK)

    def put(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Take parcels; return those there is no room for. Interactive ones push out the newest of batches."""
        for parcel in parcels:
            self._by_lane[parcel.held.lane].append(parcel)
        beyond = []
        for lane in reversed(Lane):
            waiting = self._by_lane[lane]
            while waiting and len(self) > self._most:
                beyond.append(waiting.pop())
        beyond.reverse()
        return beyond

    def take_all(self) -> list[Parcel]:
        """Take every parcel out."""
        parcels = [parcel for waiting in self._by_lane.values() for parcel in waiting]
        for waiting in self._by_lane.values():
            waiting.clear()
        return parcels

    def fitting(self, calls: int, most: int) -> int:
        """Return how many of the first parcels, at most so many, would go in so many calls."""
        fitting = in_call = 0
        size, errand = most, None
        for parcel in chain.from_iterable(self._by_lane.values()):
            size = min(size, parcel.travels_with)
            if in_call >= size or errand not in {None, parcel.errand}:
                calls, in_call, size = calls - 1, 0, min(most, parcel.travels_with)
            if fitting >= most or calls < 1:
                break
            fitting, in_call, errand = fitting + 1, in_call + 1, parcel.errand
        return fitting

    def next_call(self, size: int) -> list[Parcel]:
        """Take out what may travel together, at most `size`."""
        call: list[Parcel] = []
        for waiting in self._by_lane.values():
            while waiting:
                parcel = waiting[0]
                size = min(size, parcel.travels_with)
                if len(call) >= size or (call and call[0].errand is not parcel.errand):
                    return call
                call.append(waiting.popleft())
        return call
