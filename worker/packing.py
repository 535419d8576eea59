"""A claimed message's deliveries made ready: rendered, and each with its way to a gateway."""

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.codes import ResultCode
from worker.contract.errors import LedgerUnavailableError, TidingsError
from worker.contract.identity import delivery_key
from worker.contract.messages import Channel, Claim, DeliveryState
from worker.contract.payload import Payload
from worker.contract.users import Wallet
from worker.holding import Held
from worker.parcels import Parcel
from worker.registry_ports import Templates, Wallets
from worker.rendering import CompiledTemplate, CompiledTemplates
from worker.retry import call_size
from worker.routing import Router, UndeliverableError, Way

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What packing a chunk looks up once: the versions its messages were taken with, and the wallets."""

    templates: Mapping[tuple[str, int], CompiledTemplate | TidingsError]
    """A version that is gone or can't be used: why."""
    wallets: Mapping[str, Wallet]
    usual: dict[tuple[str, Channel], Way] = field(default_factory=dict)
    """Ways of this chunk's first deliveries, by wallet and channel: which breaker is open is asked once a chunk."""


class Packer:
    """Makes parcels."""

    def __init__(
        self, templates: Templates, compiled: CompiledTemplates, wallets: Wallets, router: Router, call_size: int
    ) -> None:
        """Keep the collaborators; `call_size` is the most messages of a wallet call (R65)."""
        self._templates = templates
        self._compiled = compiled
        self._wallets = wallets
        self._router = router
        self._call_size = call_size

    async def look_up(self, payloads: Iterable[Payload]) -> Surroundings:
        """Return what messages with these payloads need. Raises LedgerUnavailableError."""
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

    def pack(
        self, held: Held, channel: Channel, payload: Payload | None, surroundings: Surroundings
    ) -> tuple[Way, Parcel] | Answer:
        """Return one delivery and its way, or the answer that stands for why it can't be delivered."""
        try:
            if payload is None:
                raise UndeliverableError(_UNREADABLE)  # noqa: TRY301 - told as any other reason is
            way = self._way(held.claim, channel, payload.wallet, surroundings)
            message = render(held.claim.message_id, channel, payload, surroundings)
        except Exception as error:  # noqa: BLE001 - one message's fault must not take its chunk along
            return _undeliverable(error)
        size = call_size(self._call_size, held.claim.tries)
        return way, Parcel(held, channel, message, size, way.errand, way.fallbacks)

    def _way(self, claim: Claim, channel: Channel, wallet: str, surroundings: Surroundings) -> Way:
        if claim.gateways or claim.deliveries[channel] != DeliveryState.OPEN:
            return self._router.way(claim, channel, wallet, surroundings.wallets)
        known = surroundings.usual.get((wallet, channel))
        if known is None:
            known = self._router.way(claim, channel, wallet, surroundings.wallets)
            surroundings.usual[wallet, channel] = known
        return known


_UNREADABLE = "its payload can't be read: another release of tidings stored it; send it again with a new requestId"


def unpacked(claim: Claim) -> Payload | None:
    """Return the payload of a claim, None if this release can't read it."""
    try:
        return Payload.unpack(claim.payload)
    except ValueError:
        return None


def _undeliverable(error: Exception) -> Answer:
    if isinstance(error, TidingsError):
        return Answer(AnswerKind.UNDELIVERABLE, ResultCode.PROCESS_FAIL, str(error))
    # A bug: its text may hold what the message says, its traceback does not.
    trace = traceback.format_tb(error.__traceback__)[-1].strip()
    log.error("preparing_broke", error=type(error).__name__, where=trace)
    text = f"tidings itself failed on it ({type(error).__name__}); see the worker's log"
    return Answer(AnswerKind.UNDELIVERABLE, ResultCode.PROCESS_FAIL, text)


def render(message_id: str, channel: Channel, payload: Payload, surroundings: Surroundings) -> WalletMessage:
    """Return one channel's Message (R66), or raise UndeliverableError or RenderingError."""
    template = surroundings.templates[payload.template_code, payload.template_version]
    if isinstance(template, TidingsError):
        raise UndeliverableError(str(template)) from template
    language, parameters, link = payload.language, payload.parameters, payload.redirect_url
    return WalletMessage(
        delivery_key(message_id, channel),
        payload.customer_id,
        channel,
        payload.template_code,
        template.render(channel, language, parameters, link),
        template.target(channel, language, parameters, link),
        template.version.platform_template_code or payload.template_code,
        payload.extend_info,
    )
