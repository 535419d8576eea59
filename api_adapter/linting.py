"""What sends would be answered and would show, without taking them (CONTRACT R9, R35, R36, R50, R62, R63).

The answers come from what judges sends at intake; nothing is written, no place under a cap and no permit of a rate is
used. What a rate limit allows changes by the second, so it is told and refuses nothing here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from api_adapter.admitting import Send
from api_adapter.judging import Admission, Facts, judge, resolved_user
from api_adapter.limiting import Allowance
from api_adapter.previewing import LanguageView, Preview, chosen
from api_adapter.taking import CAP_REACHED, SendResult, Sources, answer_of, facts_of, probe_of
from worker.contract.codes import SUCCESS, Result, ResultStatus
from worker.contract.links import link_of
from worker.contract.messages import Acceptance, Channel
from worker.contract.templates import TemplateVersion
from worker.contract.users import SendCap
from worker.limit_ports import CapRequest, CapUse
from worker.rendering import Choice, CompiledTemplate


class Fate(StrEnum):
    """What would become of a send."""

    TAKEN = "TAKEN"
    """It would be taken."""
    UNDELIVERABLE = "UNDELIVERABLE"
    """It would be taken, and a channel of it never be delivered: its text is too long, say."""
    REPEATED = "REPEATED"
    """It was taken before: S, and nothing new is sent (R50)."""
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    """The stores did not answer."""


class Quota(NamedTuple):
    """How much of the wallet's cap one customer has left (R35)."""

    cap: SendCap
    counted: int
    """Messages counted in the period, those before it in the same lint included."""

    @property
    def left(self) -> int:
        """How many more may come now, this one included."""
        return max(0, self.cap.messages - self.counted)


class SendLint(NamedTuple):
    """What is to be said of one send."""

    answer: SendResult
    """What the send would be answered now."""
    repeat_of: int | None = None
    """Place of an earlier send in the same lint that has this requestId."""
    known: bool = False
    """Whether the requestId was taken before."""
    preview: Preview | None = None
    """None: the template is not there, or the send can't be read."""
    choice: Choice | None = None
    """The language that the user would get; None: none, or nobody knows the user."""
    faults: tuple[str, ...] = ()
    """Why the gateway would never get some channel of the language that the user gets."""
    skipped: tuple[Channel, ...] = ()
    """Channels that the user opted out of."""
    quota: Quota | None = None
    """None: the wallet has no cap, or the send was refused before it was asked."""
    allowances: tuple[Allowance, ...] = ()

    @property
    def template(self) -> TemplateVersion | None:
        """The template's live version."""
        return self.preview.template.version if self.preview else None

    @property
    def views(self) -> tuple[LanguageView, ...]:
        """What each language would show; rendered anew each time."""
        return self.preview.views if self.preview else ()

    @property
    def fate(self) -> Fate:
        """What would become of it."""
        match self.answer.result.status:
            case ResultStatus.F:
                return Fate.REFUSED
            case ResultStatus.U:
                return Fate.UNKNOWN
            case ResultStatus.S if self.known or self.repeat_of is not None:
                return Fate.REPEATED
            case ResultStatus.S:
                return Fate.UNDELIVERABLE if self.faults else Fate.TAKEN


Lints: TypeAlias = dict[int, SendLint]
"""What is to be said of the sends of a part, by their place."""
_Customer: TypeAlias = tuple[str, str, str]
"""Wallet, appId and customer id: what is counted together under a cap."""


class _Earlier(NamedTuple):
    place: int
    fingerprint: str
    user: str


@dataclass(slots=True)
class Before:
    """What earlier sends of a lint would have taken; about 500 bytes for each of them."""

    taken: dict[str, _Earlier] = field(default_factory=dict)
    """By messageId."""
    counted: Counter[_Customer] = field(default_factory=Counter)


class _Known(NamedTuple):
    """What the stores say of one send beside the facts."""

    acceptance: Acceptance
    use: CapUse | None
    allowances: tuple[Allowance, ...]


async def lint_part(sources: Sources, sends: Sequence[Send], before: Before) -> Lints:
    """Say of each send what it would be answered and show; raises LedgerUnavailableError.

    `before` remembers what these sends would take, for the parts that follow.
    """
    facts = await facts_of(sources, sends)
    verdicts = {send.place: judge(send.request, facts) for send in sends}
    known = await _known(sources, sends, verdicts, facts)
    return {send.place: _lint(send, verdicts[send.place], known[send.place], facts, before) for send in sends}


async def _known(
    sources: Sources,
    sends: Sequence[Send],
    verdicts: Mapping[int, Admission | Result],
    facts: Facts,
) -> dict[int, _Known]:
    probes = [probe_of(send, resolved_user(send.request, facts)) for send in sends]
    acceptances = await sources.ledger.probe(probes)
    capped = [(send.place, request) for send in sends if (request := _cap_request(send, verdicts[send.place]))]
    uses = await sources.caps.uses([request for _, request in capped]) if capped else []
    used = {place: use for (place, _), use in zip(capped, uses, strict=True)}
    limits = dict.fromkeys((limit for send in sends for limit in send.limits), 0)
    grants = await sources.rates.take(limits) if limits else {}
    return {
        send.place: _Known(
            acceptance,
            used.get(send.place),
            tuple(Allowance(limit, grants[limit].left, grants[limit].wait) for limit in send.limits),
        )
        for send, acceptance in zip(sends, acceptances, strict=True)
    }


def _cap_request(send: Send, verdict: Admission | Result) -> CapRequest | None:
    if isinstance(verdict, Result) or verdict.wallet.cap is None:
        return None
    return CapRequest(send.message_id, send.request.app_id, verdict.user, verdict.wallet.cap)


def _lint(send: Send, verdict: Admission | Result, known: _Known, facts: Facts, before: Before) -> SendLint:
    found = _shown(send, verdict, facts)._replace(allowances=known.allowances)
    user = resolved_user(send.request, facts)
    digest = user.digest if user else ""
    if known.acceptance is not Acceptance.ABSENT:
        return found._replace(known=True, answer=answer_of(send, known.acceptance, found.answer.remarks))
    earlier = before.taken.get(send.message_id)
    if earlier is not None:
        same = earlier.fingerprint == send.fingerprint and digest in {"", earlier.user}
        acceptance = Acceptance.REPEATED if same else Acceptance.INCONSISTENT
        return found._replace(repeat_of=earlier.place, answer=answer_of(send, acceptance, found.answer.remarks))
    if isinstance(verdict, Result):
        return found
    quota = _quota(send, verdict, known, before)
    if quota is not None and not quota.left and known.use is not None and not known.use.counted:
        return found._replace(quota=quota, answer=_answer(send, CAP_REACHED, found.answer.remarks))
    before.taken[send.message_id] = _Earlier(send.place, send.fingerprint, digest)
    before.counted[_customer(send, verdict)] += 1 if quota is not None else 0
    return found._replace(quota=quota)


def _shown(send: Send, verdict: Admission | Result, facts: Facts) -> SendLint:
    """Return what a send would show, be it refused for another reason."""
    request, template = send.request, facts.templates.get(send.request.template_code)
    if not isinstance(template, CompiledTemplate):
        return SendLint(_answer(send, verdict if isinstance(verdict, Result) else SUCCESS, ()))
    if isinstance(verdict, Result):
        answer = _answer(send, verdict, tuple(template.superfluous(request.templates)))
    else:
        answer = _answer(send, SUCCESS, verdict.remarks)
    user = resolved_user(request, facts)
    preview = Preview(template, request.templates, link_of(request) or "")
    choice = chosen(template, request.templates, user.languages) if user else None
    skipped = [channel for channel in template.version.channels if user and channel in user.opted_out]
    shown = [channel for channel in template.version.channels if channel not in skipped]
    lacks = choice is None or template.lacking(choice.language, request.templates[choice.entry])
    faults = () if choice is None or lacks else preview.faults(choice, shown)
    return SendLint(answer, preview=preview, choice=choice, faults=faults, skipped=tuple(skipped))


def _quota(send: Send, verdict: Admission, known: _Known, before: Before) -> Quota | None:
    if verdict.wallet.cap is None or known.use is None:
        return None
    return Quota(verdict.wallet.cap, known.use.messages + before.counted[_customer(send, verdict)])


def _customer(send: Send, verdict: Admission) -> _Customer:
    return verdict.wallet.name, send.request.app_id, verdict.user.customer_id


def _answer(send: Send, result: Result, remarks: tuple[str, ...]) -> SendResult:
    taken = send.message_id if result.status is ResultStatus.S else None
    return SendResult(result, taken, send.request.request_id, remarks)
