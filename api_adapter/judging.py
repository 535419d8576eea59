"""Whether a well-formed send can be taken, and as what: the rules that need token, template and wallet. Pure.

The order of the rules is the order in which a merchant can mend things: token, template, user, parameters, wallet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from worker.contract.codes import UNKNOWN, Result, ResultCode
from worker.contract.errors import ContractViolationError
from worker.contract.links import link_of
from worker.contract.messages import Channel
from worker.contract.send_request import SendRequest
from worker.contract.templates import TemplateVersion
from worker.contract.users import SEND_SCOPE, TokenGrant, Unresolved, User, Wallet
from worker.rendering import Choice, CompiledTemplate

_DAY = 86_400_000
_MOST_REMARKS = 20
"""More would not fit an extendInfo of 4,096 characters, where callers read them."""

_NO_TEMPLATE = Result.refused(ResultCode.TEMPLATE_NOT_EXIST, "$.templateCode: no template has this code")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How far ahead times may be; milliseconds."""

    ahead: int
    """The latest `sendAt`."""
    deliver_within: int
    """How long after that a message may be open, where it names no `expireAt`; and at most, where it does."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the stores know of everything that a chunk of sends mentions."""

    grants: Mapping[str, TokenGrant | Unresolved | None] = field(repr=False)
    """By access token."""
    templates: Mapping[str, CompiledTemplate | Result]
    """Live versions by code; a refusal for one that can't be used."""
    wallets: Mapping[str, Wallet]
    now: int
    """Milliseconds since 1970."""
    times: TimeLimits


@final
class Admission:
    """A send that can be taken, with everything that was decided about it."""

    def __init__(  # noqa: PLR0913 - what is decided
        self,
        *,
        user: User,
        wallet: Wallet,
        template: TemplateVersion,
        choice: Choice,
        channels: tuple[Channel, ...],
        skipped: tuple[Channel, ...],
        link: str,
        remarks: tuple[str, ...],
    ) -> None:
        """Keep what was decided; `remarks` is the send's lint: what was sent and is of no use (R6, R9)."""
        self.user: Final = user
        self.wallet: Final = wallet
        self.template: Final = template
        self.choice: Final = choice
        self.channels: Final = channels
        self.skipped: Final = skipped
        self.link: Final = link
        self.remarks: Final = remarks


def resolved_user(request: SendRequest, facts: Facts) -> User | None:
    """Return the user of a send's token, be it expired; None when the token resolves to nobody of this appId (R50)."""
    grant = facts.grants[request.access_token]
    return grant.user if isinstance(grant, TokenGrant) and grant.app_id == request.app_id else None


def judge(request: SendRequest, facts: Facts) -> Admission | Result:
    """Return a send's admission, or why it is refused (R32-R37); UNKNOWN where nobody knows its token now."""
    grant = _grant(request, facts)
    if isinstance(grant, Result):
        return grant
    template = facts.templates.get(request.template_code, _NO_TEMPLATE)
    if isinstance(template, Result):
        return template
    channels, skipped = _channels(template.version.channels, grant.user)
    if not channels:
        return Result.refused(ResultCode.USER_NOT_SUBSCRIBED, "the user opted out of every channel of the template")
    link, entries = link_of(request) or "", request.templates
    fits = template.fits(entries)
    lacking = [] if fits else template.missing(entries)
    if not link and template.needs_link:
        lacking.append("$.redirectUrl: is required by the template's channels")
    choice = _choice(request, template, grant.user, facts, lacking)
    if isinstance(choice, Result):
        return choice
    wallet = _wallet(request, grant.user, channels, facts)
    if isinstance(wallet, Result):
        return wallet
    return Admission(
        user=grant.user,
        wallet=wallet,
        template=template.version,
        choice=choice,
        channels=channels,
        skipped=skipped,
        link=link,
        remarks=() if fits and request.action_url is None else _remarks(request, template),
    )


def _grant(request: SendRequest, facts: Facts) -> TokenGrant | Result:
    grant = facts.grants[request.access_token]
    if isinstance(grant, Unresolved):
        return UNKNOWN
    if grant is None or grant.app_id != request.app_id:
        return Result.refused(ResultCode.INVALID_ACCESS_TOKEN, "$.accessToken: is not a token of this appId")
    if grant.expires_at is not None and grant.expires_at <= facts.now:
        return Result.refused(ResultCode.EXPIRED_ACCESS_TOKEN, "$.accessToken: is past its time")
    if SEND_SCOPE not in grant.scopes:
        return Result.refused(ResultCode.ACCESS_DENIED, f"$.accessToken: lacks the scope {SEND_SCOPE}")
    return grant


def _faults_of_times(request: SendRequest, facts: Facts) -> list[str]:
    send_at, expire_at = request.send_at, request.expire_at
    faults = []
    if send_at is not None and send_at > facts.now + facts.times.ahead:
        faults.append(f"$.sendAt: must be at most {facts.times.ahead // _DAY} days ahead")
    if expire_at is not None:
        latest = facts.now + facts.times.ahead + facts.times.deliver_within
        if expire_at <= facts.now:
            faults.append("$.expireAt: must be in the future")
        elif send_at is not None and expire_at <= send_at:
            faults.append("$.expireAt: must be after sendAt")
        elif expire_at > latest:
            faults.append(f"$.expireAt: must be at most {(latest - facts.now) // _DAY} days ahead")
    return faults


def _channels(channels: tuple[Channel, ...], user: User) -> tuple[tuple[Channel, ...], tuple[Channel, ...]]:
    if not user.opted_out:
        return channels, ()
    wanted = tuple(channel for channel in channels if channel not in user.opted_out)
    return wanted, tuple(channel for channel in channels if channel in user.opted_out)


def _choice(
    request: SendRequest, template: CompiledTemplate, user: User, facts: Facts, faults: list[str]
) -> Choice | Result:
    entries, send_at, expire_at = request.templates, request.send_at, request.expire_at
    if len(entries) > 1:
        faults += _default_language_twice(request, template)
    if send_at is not None or expire_at is not None:
        faults += _faults_of_times(request, facts)
    if faults:
        return Result.refused(ResultCode.PARAM_ILLEGAL, "; ".join(faults))
    try:
        return template.choose(entries, user.languages)
    except ContractViolationError as violation:
        return Result.refused(ResultCode.PARAM_ILLEGAL, str(violation))


def _default_language_twice(request: SendRequest, template: CompiledTemplate) -> list[str]:
    languages = [entry.language for entry in request.templates]
    default = template.version.default_language
    if None not in languages or default not in languages:
        return []
    first, second = sorted((languages.index(None), languages.index(default)))
    return [f"$.templates[{first}] and $.templates[{second}] have the same language (the template's default)"]


def _wallet(
    request: SendRequest,
    user: User,
    channels: tuple[Channel, ...],
    facts: Facts,
) -> Wallet | Result:
    belongs_to = request.customer_belongs_to
    if belongs_to is not None and belongs_to != user.wallet:
        return Result.refused(ResultCode.PARAM_ILLEGAL, "$.customerBelongsTo: is not the wallet of the token's user")
    wallet = facts.wallets.get(user.wallet)
    lacking = [channel for channel in channels if wallet is None or not _serves(wallet, channel)]
    if wallet is None or lacking:
        return Result.refused(
            ResultCode.PROCESS_FAIL,
            f"no gateway of wallet {user.wallet} serves {', '.join(lacking)}; the platform has to add one",
        )
    return wallet


def _serves(wallet: Wallet, channel: Channel) -> bool:
    for gateway in wallet.gateways:  # noqa: SIM110 - asked of each send; a generator costs thrice as much
        if channel in gateway.channels:
            return True
    return False


def _remarks(request: SendRequest, template: CompiledTemplate) -> tuple[str, ...]:
    remarks = template.superfluous(request.templates)
    if request.action_url is not None:
        used = "is used in place of redirectUrl" if request.redirect_url is None else "is ignored beside redirectUrl"
        remarks.append(f"$.actionUrl: {used}; it is no documented field")
    if len(remarks) > _MOST_REMARKS:
        shown = _MOST_REMARKS - 1
        remarks[shown:] = [f"and {len(remarks) - shown} more"]
    return tuple(remarks)
