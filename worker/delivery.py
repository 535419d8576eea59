"""A chunk of messages on its way out, through named steps: claim, pack, send; settling is `worker.settling`'s."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from worker.coalescers import Coalescers
from worker.contract.answers import Answer, AnswerKind
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Channel, Claim, GatewayNote, Hint
from worker.contract.payload import Payload
from worker.contract.users import GatewayRoute
from worker.holding import Held, Holdings
from worker.packing import Packer, Surroundings, unpacked
from worker.parcels import Parcel
from worker.ports import Clock, Ledger
from worker.quiet import quiet_until
from worker.retry import open_channels
from worker.routing import Router, Way
from worker.settling import Settler

_CLAIM_ID_BYTES = 8

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """How long messages are held and calls may take, in milliseconds."""

    lease: int
    call_timeout: int


class Delivery:
    """Claims the messages of a hint and puts their open channels on the way to their gateways."""

    def __init__(  # noqa: PLR0913 - the collaborators of the main job
        self,
        *,
        ledger: Ledger,
        packer: Packer,
        router: Router,
        coalescers: Coalescers,
        settler: Settler,
        holdings: Holdings,
        clock: Clock,
        times: DeliveryTimes,
    ) -> None:
        """Keep the collaborators, and hear of every answer."""
        self._ledger = ledger
        self._packer = packer
        self._router = router
        self._coalescers = coalescers
        self._settler = settler
        self._holdings = holdings
        self._clock = clock
        self._times = times

    async def deliver(self, hint: Hint) -> int:
        """Claim what a hint names and send it on; return how many messages are now held.

        Raises LedgerUnavailableError when the claim was not answered: whatever it took comes back when its lease ends.
        """
        taken = await self._claim(hint)
        held = [one for one in taken if not self._ends_unsent(one)]
        if held:
            payloads = [unpacked(one.claim) for one in held]
            try:
                surroundings = await self._packer.look_up(payload for payload in payloads if payload is not None)
            except LedgerUnavailableError as error:
                # Given back, not dropped: a lease that merely ran out would count as a crash of each message.
                log.warning("claims_given_back", messages=len(held), reason=str(error))
                self._give_back(held)
                return len(taken)
            await self._send(self._pack(held, payloads, surroundings))
        return len(taken)

    def _ends_unsent(self, held: Held) -> bool:
        """Pass on to be settled what nobody may touch, its payload included: poison, or what is past its deadline."""
        if held.claim.poison:
            log.error("message_is_poison", message_id=held.claim.message_id, crashes=held.claim.crashes)
        elif not held.expired:
            return False
        self._settler.put(held)
        return True

    def stop_sending(self) -> None:
        """Give back what was claimed and not sent, now and from now on; calls in flight go on."""
        self._coalescers.stop()

    def answered(self, parcel: Parcel, answer: Answer) -> None:
        """Note one delivery's answer; a message whose channels all have theirs goes on to be settled.

        Who has another gateway to go to need not wait for as long as this one asked. One that keeps its pace is no
        reason to go elsewhere.
        """
        asked_to_wait = answer.retry_after is not None and answer.kind is not AnswerKind.PACED
        if asked_to_wait and any(map(self._router.may_be_called, parcel.fallbacks)):
            answer = replace(answer, retry_after=None)
        self._note(parcel.held, parcel.channel, answer)

    def _note(self, held: Held, channel: Channel, answer: Answer) -> None:
        held.answers[channel] = answer
        held.waiting -= 1
        if not held.waiting:
            self._settler.put(held)

    def _give_back(self, held: Sequence[Held]) -> None:
        for one in held:
            channels = open_channels(one.claim)
            one.waiting = len(channels)
            for channel in channels:
                self._note(one, channel, Answer(AnswerKind.NOT_SENT))

    async def _claim(self, hint: Hint) -> list[Held]:
        now = self._clock.monotonic()
        claims = await self._ledger.claim(hint.shard, hint.message_ids, secrets.token_hex(_CLAIM_ID_BYTES), hint.kind)
        lease, call = self._times.lease / 1000, self._times.call_timeout / 1000
        held = [
            Held(claim, hint.lane, hint.shard, now + lease, now + lease + call, now + _left(claim)) for claim in claims
        ]
        self._holdings.add(held)
        return held

    def _pack(
        self, held: Sequence[Held], payloads: Sequence[Payload | None], surroundings: Surroundings
    ) -> list[tuple[Way, Parcel]]:
        packed = []
        for one, payload in zip(held, payloads, strict=True):
            channels = open_channels(one.claim)
            one.waiting = len(channels)
            if not channels:
                self._settler.put(one)
            for channel in channels:
                found = _hushed(one, channel, payload) or self._packer.pack(one, channel, payload, surroundings)
                if isinstance(found, Answer):
                    self._note(one, channel, found)
                else:
                    one.gateways[channel] = found[0].route.name
                    packed.append(found)
        return packed

    async def _send(self, packed: Sequence[tuple[Way, Parcel]]) -> None:
        """Put parcels on their ways: those at once whose record says where they go, the others once it does."""
        self._put([(way.route, parcel) for way, parcel in packed if way.noted])
        diverted = [(way.route, parcel) for way, parcel in packed if not way.noted]
        if diverted:
            await self._put_noted(diverted)

    def _put(self, addressed: Iterable[tuple[GatewayRoute, Parcel]]) -> None:
        routes: dict[int, GatewayRoute] = {}
        parcels: dict[int, list[Parcel]] = defaultdict(list)
        for route, parcel in addressed:
            routes[id(route)] = route  # a route's own hash goes through all its fields, for each parcel
            parcels[id(route)].append(parcel)
        for place, together in parcels.items():
            self._coalescers.to(routes[place]).put(together)

    async def _put_noted(self, addressed: Sequence[tuple[GatewayRoute, Parcel]]) -> None:
        """Note where parcels go before they do; those of messages that another claim has go nowhere."""
        names: dict[Held, dict[Channel, str]] = defaultdict(dict)
        for route, parcel in addressed:
            names[parcel.held][parcel.channel] = route.name
        notes = [
            GatewayNote(one.claim.message_id, one.claim.claim_id, one.claim.attempt, channels)
            for one, channels in names.items()
        ]
        try:
            noted = await self._ledger.note_gateways(notes)
        except LedgerUnavailableError as error:
            log.warning("diversion_not_noted", messages=len(notes), reason=str(error))
            noted = [False] * len(notes)
        ours = dict(zip(names, noted, strict=True))
        for _, parcel in addressed:
            if not ours[parcel.held]:
                self._note(parcel.held, parcel.channel, Answer(AnswerKind.NOT_SENT))
        self._put(one for one in addressed if ours[one[1].held])


def _left(claim: Claim) -> float:
    """Return for how many seconds after its claim a message may be sent."""
    return (claim.expires_at - claim.claimed_at) / 1000


def _hushed(held: Held, channel: Channel, payload: Payload | None) -> Answer | None:
    """Return the answer that stands for a user who wants no PUSH at this hour; an INBOX wakes nobody."""
    if payload is None or payload.quiet is None or channel is not Channel.PUSH:
        return None
    now = held.claim.claimed_at
    end = quiet_until(*payload.quiet, now)
    return None if end is None else Answer(AnswerKind.QUIET, retry_after=end - now)
