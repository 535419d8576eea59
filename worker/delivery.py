"""A chunk of messages on its way out, through named steps: claim, prepare, send; settling is `worker.settling`'s."""

import secrets
import traceback
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from worker.coalescing import Coalescers, Parcel
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.codes import ResultCode
from worker.contract.errors import LedgerUnavailableError, TidingsError
from worker.contract.identity import delivery_key
from worker.contract.messages import Channel, Claim, Hint
from worker.contract.payload import Payload
from worker.contract.users import GatewayRoute, Wallet
from worker.holding import Held, Holdings
from worker.ports import Clock, Ledger, Templates, Wallets
from worker.rendering import CompiledTemplate, CompiledTemplates
from worker.retry import call_size, open_channels
from worker.settling import Settler

_CLAIM_ID_BYTES = 8

log = structlog.get_logger(__name__)


class UndeliverableError(TidingsError):
    """A message can't be rendered or routed; the text says what to mend."""


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """How long messages are held and calls may be, in milliseconds."""

    lease: int
    call_timeout: int
    call_size: int
    """Most messages in one wallet call (R65)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What preparing a chunk looks up once: the versions its messages were taken with, and the wallets."""

    templates: Mapping[tuple[str, int], CompiledTemplate | TidingsError]
    """A version that is gone or can't be used: why."""
    wallets: Mapping[str, Wallet]


class Delivery:
    """Claims the messages of a hint and puts their open channels on the way to their gateways."""

    def __init__(  # noqa: PLR0913 - the collaborators of the main job
        self,
        *,
        ledger: Ledger,
        templates: Templates,
        compiled: CompiledTemplates,
        wallets: Wallets,
        coalescers: Coalescers,
        settler: Settler,
        holdings: Holdings,
        clock: Clock,
        times: DeliveryTimes,
    ) -> None:
        """Keep the collaborators, and hear of every answer."""
        self._ledger = ledger
        self._templates = templates
        self._compiled = compiled
        self._wallets = wallets
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
            payloads = [_unpacked(one.claim) for one in held]
            try:
                surroundings = await self._look_up(payload for payload in payloads if payload is not None)
            except LedgerUnavailableError as error:
                # Given back, not dropped: a lease that merely ran out would count as a crash of each message.
                log.warning("claims_given_back", messages=len(held), reason=str(error))
                self._give_back(held)
                return len(taken)
            self._send(self._prepare(held, payloads, surroundings))
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
        """Note one delivery's answer; a message whose channels all have theirs goes on to be settled."""
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
        held = [Held(claim, hint.lane, hint.shard, now + lease, now + lease + call) for claim in claims]
        self._holdings.add(held)
        return held

    async def _look_up(self, payloads: Iterable[Payload]) -> Surroundings:
        versions = {(payload.template_code, payload.template_version) for payload in payloads}
        templates = {version: await self._template(*version) for version in versions}
        return Surroundings(templates, await self._wallets.all())

    async def _template(self, code: str, number: int) -> CompiledTemplate | TidingsError:
        try:
            version = await self._templates.version(code, number)
            if version is None:
                return UndeliverableError(f"template {code} version {number} is gone; put it again and replay")
            return self._compiled.of(version)
        except LedgerUnavailableError:
            raise
        except TidingsError as error:  # it concerns this version's messages alone, not the chunk
            return error

    def _prepare(
        self,
        held: Sequence[Held],
        payloads: Sequence[Payload | None],
        surroundings: Surroundings,
    ) -> dict[GatewayRoute, list[Parcel]]:
        by_route: dict[GatewayRoute, list[Parcel]] = defaultdict(list)
        for one, payload in zip(held, payloads, strict=True):
            channels = open_channels(one.claim)
            one.waiting = len(channels)
            if not channels:
                self._settler.put(one)
                continue
            size = call_size(self._times.call_size, one.claim.tries)
            for channel in channels:
                try:
                    route, message = addressed(one.claim.message_id, channel, payload, surroundings)
                except Exception as error:  # noqa: BLE001 - one message's fault must not take its chunk along
                    self._note(one, channel, _undeliverable(error))
                else:
                    one.gateways[channel] = route.name
                    by_route[route].append(Parcel(one, channel, message, size))
        return by_route

    def _send(self, by_route: Mapping[GatewayRoute, list[Parcel]]) -> None:
        for route, parcels in by_route.items():
            self._coalescers.to(route).put(parcels)


_UNREADABLE = "its payload can't be read: another release of tidings stored it; send it again with a new requestId"


def _unpacked(claim: Claim) -> Payload | None:
    try:
        return Payload.unpack(claim.payload)
    except ValueError:
        return None


def addressed(
    message_id: str,
    channel: Channel,
    payload: Payload | None,
    surroundings: Surroundings,
) -> tuple[GatewayRoute, WalletMessage]:
    """Return one channel's Message and where it goes, or raise UndeliverableError or RenderingError."""
    if payload is None:
        raise UndeliverableError(_UNREADABLE)
    return route_of(payload.wallet, channel, surroundings), render(message_id, channel, payload, surroundings)


def _undeliverable(error: Exception) -> Answer:
    if isinstance(error, TidingsError):
        return Answer(AnswerKind.UNDELIVERABLE, ResultCode.PROCESS_FAIL, str(error))
    # A bug: its text may hold what the message says, its traceback does not.
    trace = traceback.format_tb(error.__traceback__)[-1].strip()
    log.error("preparing_broke", error=type(error).__name__, where=trace)
    text = f"tidings itself failed on it ({type(error).__name__}); see the worker's log"
    return Answer(AnswerKind.UNDELIVERABLE, ResultCode.PROCESS_FAIL, text)


def route_of(wallet: str, channel: Channel, surroundings: Surroundings) -> GatewayRoute:
    """Return the gateway for a channel of a wallet (R11), or raise UndeliverableError."""
    known = surroundings.wallets.get(wallet)
    route = known.gateway_for(channel) if known else None
    if route is None:
        raise UndeliverableError(f"no gateway serves {channel} of wallet {wallet}; see `tidings wallet put --help`")
    return route


def render(message_id: str, channel: Channel, payload: Payload, surroundings: Surroundings) -> WalletMessage:
    """Return one channel's Message (R66), or raise UndeliverableError or RenderingError."""
    template = surroundings.templates[payload.template_code, payload.template_version]
    if isinstance(template, TidingsError):
        raise UndeliverableError(str(template)) from template
    arguments = (channel, payload.language, payload.parameters, payload.redirect_url)
    return WalletMessage(
        message_id=delivery_key(message_id, channel),
        customer_id=payload.customer_id,
        channel=channel,
        template_code=payload.template_code,
        content=template.render(*arguments),
        redirect_url=template.target(*arguments),
        platform_template_code=template.version.platform_template_code or payload.template_code,
        extend_info=payload.extend_info,
    )
