"""Deliveries ready to go over the wire, and the line in which they wait for a call to one gateway (R65)."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final, final

from typing_extensions import override

from worker.contract.answers import WalletMessage
from worker.contract.messages import Channel, Lane
from worker.holding import Held
from worker.routing import Errand

CALL_SIZE = 20
"""Most messages of any call (R65)."""


@final
@dataclass(init=False)
class Parcel:
    """One delivery, ready to go over the wire."""

    held: Final[Held]
    channel: Final[Channel]
    message: Final[WalletMessage]
    call_size: Final[int]
    """Most messages of the call that this one may be sent in."""
    errand: Final[Errand]
    fallbacks: Final[tuple[str, ...]]
    """Names of the other gateways that may have it instead."""

    def __init__(
        self,
        held: Held,
        channel: Channel,
        message: WalletMessage,
        call_size: int,
        errand: Errand = Errand.SEND,
        fallbacks: tuple[str, ...] = (),
    ) -> None:
        """Keep its fields; written out as in `worker.contract.messages.NewMessage`."""
        self.held = held
        self.channel = channel
        self.message = message
        self.call_size = call_size
        self.errand = errand
        self.fallbacks = fallbacks

    @property
    def travels_with(self) -> int:
        """Most messages of its next call."""
        return self.call_size if self.errand is Errand.SEND else CALL_SIZE

    def may_go(self, now: float) -> bool:
        """Return whether it may be called for at a time of the monotonic clock; what expired is still asked after."""
        return now < self.held.deadline and (now < self.held.expires or self.errand is Errand.INQUIRE)


class Line:
    """Parcels that wait, interactive sends before what batches left here."""

    def __init__(self, most: int) -> None:
        """Start empty; hold `most` parcels."""
        self._most = most
        self._by_lane: dict[Lane, deque[Parcel]] = {lane: deque() for lane in Lane}

    def __len__(self) -> int:
        """Return how many wait."""
        number = 0
        for waiting in self._by_lane.values():
            number += len(waiting)
        return number

    @property
    def first_lane(self) -> Lane:
        """The lane of the parcel that is next."""
        return next((lane for lane, parcels in self._by_lane.items() if parcels), Lane.BULK)

    def put(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Take parcels; return those there is no room for. Interactive ones push out the newest of batches."""
        self._add(parcels)
        surplus = len(self) - self._most
        return self._pushed_out(surplus) if surplus > 0 else []

    def _pushed_out(self, number: int) -> list[Parcel]:
        beyond: list[Parcel] = []
        for lane in reversed(Lane):
            waiting = self._by_lane[lane]
            while waiting and len(beyond) < number:
                beyond.append(waiting.pop())
        beyond.reverse()
        return beyond

    def _add(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            self._by_lane[parcel.held.lane].append(parcel)

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


class LineByTurns(Line):
    """A line in which the merchants of a lane take turns: what is pushed out is of the one that has most in it.

    For a gateway that takes less than is sent: else it would be the business of whoever sends most.
    """

    @override
    def _add(self, parcels: Sequence[Parcel]) -> None:
        super()._add(parcels)
        for lane in {parcel.held.lane for parcel in parcels}:
            self._by_lane[lane] = deque(_by_turns(self._by_lane[lane]))


def _by_turns(parcels: Iterable[Parcel]) -> Iterator[Parcel]:
    by_merchant: dict[str, list[Parcel]] = defaultdict(list)
    for parcel in parcels:
        by_merchant[parcel.held.claim.app_id].append(parcel)
    for turn in zip_longest(*by_merchant.values()):
        yield from (parcel for parcel in turn if parcel is not None)
