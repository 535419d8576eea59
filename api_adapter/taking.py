"""A part of a batch through named steps: what the stores know, judge, limit, accept, and the repeats.

The sends of a part are in order and already well-formed; what they become is decided here, for all of them in a few
round trips (CONTRACT R30-R42, R50-R52).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, final

import structlog

from api_adapter.admitting import Send, hints_of, new_message
from api_adapter.judging import Admission, Facts, TimeLimits, judge, resolved_user
from api_adapter.limiting import Allowance, allowances, refusal
from api_adapter.live_templates import live_templates
from worker.contract.callbacks import EVERY_OUTCOME, NO_OUTCOMES, Outcomes
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Acceptance, Lane
from worker.contract.origins import NO_BATCH, BatchPart
from worker.contract.users import Unresolved, User
from worker.limit_ports import CapRequest, Caps, Rates
from worker.ports import Clock, Hints, Ledger, Probe
from worker.registry_ports import CallbackRegistry, Templates, Users, Wallets
from worker.rendering import CompiledTemplates

INCONSISTENT = Result.refused(
    ResultCode.REPEAT_REQ_INCONSISTENT,
    "$.requestId: is known with another content; use a new requestId for a new message",
)
CAP_REACHED = Result.refused(
    ResultCode.MESSAGE_SEND_EXCEED_LIMIT,
    "the wallet's limit of messages of this appId to one customer is reached",
)

log = structlog.get_logger(__name__)


@final
@dataclass(init=False)
class SendResult:
    """The answer to one send."""

    result: Final[Result]
    message_id: Final[str | None]
    request_id: Final[str | None]
    """As far as the body could be read."""
    remarks: Final[tuple[str, ...]]
    """The send's lint (R6, R9)."""
    allowances: Final[tuple[Allowance, ...]]
    """What each rate limit that it comes under said; empty: it comes under none, or was refused before (R36)."""

    def __init__(
        self,
        result: Result,
        message_id: str | None = None,
        request_id: str | None = None,
        remarks: tuple[str, ...] = (),
        allowances: tuple[Allowance, ...] = (),
    ) -> None:
        """Keep what is answered; written out as in `worker.contract.messages.NewMessage`."""
        self.result = result
        self.message_id = message_id
        self.request_id = request_id
        self.remarks = remarks
        self.allowances = allowances


@dataclass(frozen=True, slots=True)
class Passage:
    """How the messages of a part travel."""

    lane: Lane
    deliver_within: int
    """Milliseconds after which a message expires."""
    shards: int
    batch: BatchPart = NO_BATCH
    """What batch they come in, and when that may be sent."""
    callbacks: Outcomes = EVERY_OUTCOME
    """Of which outcomes their merchant may be told, of those that it registered."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked to judge sends."""

    ledger: Ledger
    users: Users
    templates: Templates
    compiled: CompiledTemplates
    wallets: Wallets
    caps: Caps
    rates: Rates
    clock: Clock
    times: TimeLimits


@dataclass(frozen=True, slots=True)
class Stores(Sources):
    """What is asked to judge sends, and who is told of those that are taken."""

    callbacks: CallbackRegistry
    hints: Hints


Verdicts: TypeAlias = dict[int, Admission | Result]
"""What each send of a part becomes, by its place."""
Results: TypeAlias = dict[int, SendResult]
"""The answers to sends of a part, by their place."""


async def take_part(stores: Stores, passage: Passage, sends: Sequence[Send]) -> Results:
    """Have the ledger take what can be taken and answer each send.

    Raises LedgerUnavailableError when the stores did not answer before anything was taken.
    """
    facts = await facts_of(stores, sends)
    verdicts: Verdicts = {send.place: judge(send.request, facts) for send in sends}
    limited = [send for send in sends if send.limits and isinstance(verdicts[send.place], Admission)]
    allowed = await allowances(stores.rates, limited)
    verdicts |= {place: over_rate for place, said in allowed.items() if (over_rate := refusal(said))}
    if any(wallet.cap is not None for wallet in facts.wallets.values()):
        verdicts |= await _over_cap(stores, sends, verdicts)
    results = await _accept(stores, passage, sends, verdicts)
    # Refusals come after what is taken: the same requestId may stand in both.
    refused = [send for send in sends if send.place not in results]
    results |= await _refuse_or_repeat(stores, refused, verdicts, facts)
    results |= {place: replace(results[place], allowances=said) for place, said in allowed.items()}
    return results


async def facts_of(stores: Sources, sends: Sequence[Send]) -> Facts:
    """Return what the stores know of everything that sends mention; raises LedgerUnavailableError."""
    tokens = list({send.request.access_token for send in sends})
    grants = await stores.users.resolve(tokens)
    if unresolved := [grant for grant in grants if isinstance(grant, Unresolved)]:
        log.warning("tokens_unresolved", tokens=len(unresolved), reason=unresolved[0].reason)
    codes = list({send.request.template_code for send in sends})
    return Facts(
        grants=dict(zip(tokens, grants, strict=True)),
        templates=await live_templates(stores.templates, stores.compiled, codes),
        wallets=await stores.wallets.all(),
        now=stores.clock.now(),
        times=stores.times,
    )


async def _over_cap(stores: Stores, sends: Sequence[Send], verdicts: Verdicts) -> dict[int, Result]:
    """Return refusals for sends beyond their wallet's cap; a repeat takes no place (R35)."""
    capped = [
        (send, CapRequest(send.message_id, send.request.app_id, verdict.user, verdict.wallet.cap))
        for send in sends
        if isinstance(verdict := verdicts[send.place], Admission) and verdict.wallet.cap is not None
    ]
    if not capped:
        return {}
    known = await stores.ledger.probe([probe_of(send, request.user) for send, request in capped])
    new = [place for place, acceptance in zip(capped, known, strict=True) if acceptance is Acceptance.ABSENT]
    reserved = await stores.caps.reserve([request for _, request in new])
    return {send.place: CAP_REACHED for (send, _), has_place in zip(new, reserved, strict=True) if not has_place}


async def _accept(stores: Stores, passage: Passage, sends: Sequence[Send], verdicts: Verdicts) -> Results:
    by_app: dict[str, list[tuple[Send, Admission]]] = defaultdict(list)
    for send in sends:
        verdict = verdicts[send.place]
        if isinstance(verdict, Admission):
            by_app[send.request.app_id].append((send, verdict))
    taken = await asyncio.gather(*(_accept_for_app(stores, passage, app, admitted) for app, admitted in by_app.items()))
    answers: Results = {}
    for results in taken:
        answers |= results
    return answers


async def _accept_for_app(
    stores: Stores,
    passage: Passage,
    app_id: str,
    admitted: Sequence[tuple[Send, Admission]],
) -> Results:
    messages = [new_message(send, admission, passage.deliver_within) for send, admission in admitted]
    try:
        registered = (await stores.callbacks.all()).get(app_id)
        told = registered.wanted & passage.callbacks if registered else NO_OUTCOMES
        accepted = await stores.ledger.accept(app_id, passage.lane, messages, told, passage.batch)
    except LedgerUnavailableError as error:
        return unknown((send for send, _ in admitted), error)
    stores.hints.publish(hints_of(passage.lane, messages, accepted, passage.shards))
    return {
        send.place: answer_of(send, acceptance, admission.remarks)
        for (send, admission), acceptance in zip(admitted, accepted, strict=True)
    }


async def _refuse_or_repeat(
    stores: Stores,
    sends: Sequence[Send],
    verdicts: Mapping[int, Admission | Result],
    facts: Facts,
) -> Results:
    """Answer sends that would be refused: a requestId that is known was taken once, whatever is true now (R50)."""
    if not sends:
        return {}
    try:
        probes = [probe_of(send, resolved_user(send.request, facts)) for send in sends]
        acceptances = await stores.ledger.probe(probes)
    except LedgerUnavailableError as error:
        return unknown(sends, error)
    results = {}
    for send, known in zip(sends, acceptances, strict=True):
        refusal = verdicts[send.place]
        if known is Acceptance.ABSENT and isinstance(refusal, Result):
            results[send.place] = SendResult(refusal, request_id=send.request.request_id)
        else:
            results[send.place] = answer_of(send, known, ())
    return results


def unknown(sends: Iterable[Send], error: Exception) -> Results:
    """Return U for sends of which nobody can say whether they were taken (R31)."""
    results = {send.place: SendResult(UNKNOWN, request_id=send.request.request_id) for send in sends}
    log.warning("intake_unknown", sends=len(results), reason=str(error) or type(error).__name__)
    return results


def answer_of(send: Send, acceptance: Acceptance, remarks: tuple[str, ...]) -> SendResult:
    """Return the answer to a send that the ledger has taken, or knows."""
    request_id = send.request.request_id
    if acceptance is Acceptance.INCONSISTENT:
        return SendResult(INCONSISTENT, request_id=request_id)
    if acceptance is Acceptance.STAGED:
        return SendResult(UNKNOWN, request_id=request_id)
    return SendResult(SUCCESS, send.message_id, request_id, remarks)


def probe_of(send: Send, user: User | None) -> Probe:
    """Return the question whether a send was taken before; without a user it is compared without (R50)."""
    return Probe(send.message_id, send.fingerprint, user.digest if user else "")
