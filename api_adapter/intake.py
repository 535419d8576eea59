"""The intake function: bytes and headers in, results out, for one send or many (CONTRACT R1-R15, R30-R42, R50-R53).

HTTP, batches and the command line all call `Intake.take`. It knows no framework and holds no state of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from api_adapter.admitting import Send, hints_of, new_message
from api_adapter.clients import Clients
from api_adapter.judging import Admission, Facts, judge, resolved_user, user_digest
from api_adapter.live_templates import live_templates
from api_adapter.turns import Turns
from worker.batching import chunks
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode
from worker.contract.errors import LedgerUnavailableError
from worker.contract.identity import message_id
from worker.contract.messages import Acceptance, Lane
from worker.contract.requests import ContractViolationError, SendRequest, parse
from worker.contract.users import User
from worker.ports import CapRequest, Caps, Clock, Hints, Ledger, Probe, Templates, Users, Wallets
from worker.rendering import CompiledTemplates

MAX_BODY = 64 * 1024
"""Bytes of one send (R15)."""
_AT_ONCE = 64
"""Calls that use the stores at once."""

_PART = 500
"""Sends of a batch that are read and judged at a time, while the store takes those before them."""
_PATIENCE = 8.0
"""Seconds until a send is answered U: a caller that has given up by then learns nothing (R31)."""

_INCONSISTENT = Result.refused(
    ResultCode.REPEAT_REQ_INCONSISTENT,
    "$.requestId: is known with another content; use a new requestId for a new message",
)
_CAP_REACHED = Result.refused(
    ResultCode.MESSAGE_SEND_EXCEED_LIMIT,
    "the wallet's limit of messages of this appId to one customer is reached",
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SendResult:
    """The answer to one send."""

    result: Result
    message_id: str | None = None
    request_id: str | None = None
    """As far as the body could be read."""
    remarks: tuple[str, ...] = ()
    """The send's lint (R6, R9)."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What the settings say about intake."""

    shards: int
    deliver_within: int
    """Milliseconds after which a message expires."""
    request_model: type[SendRequest] = SendRequest


class Intake:
    """Validates sends, decides what each becomes, and has the ledger take them."""

    def __init__(  # noqa: PLR0913 - the stores that the rules look at
        self,
        *,
        clients: Clients,
        ledger: Ledger,
        users: Users,
        templates: Templates,
        compiled: CompiledTemplates,
        wallets: Wallets,
        caps: Caps,
        hints: Hints,
        clock: Clock,
        limits: IntakeLimits,
    ) -> None:
        """Keep the collaborators."""
        self._clients = clients
        self._ledger = ledger
        self._users = users
        self._templates = templates
        self._compiled = compiled
        self._wallets = wallets
        self._caps = caps
        self._hints = hints
        self._clock = clock
        self._limits = limits
        self._turns = Turns(_AT_ONCE)

    async def take(self, headers: Mapping[str, str], bodies: Sequence[bytes], lane: Lane) -> list[SendResult]:
        """Answer each send, in order. Never raises for what a caller or the store does.

        Args:
            headers: of the request, names in lower case.
            bodies: one JSON object each (R15).
            lane: the queue that new messages travel in.

        """
        client_id = self._clients.identify(headers)
        if isinstance(client_id, Result):
            return [SendResult(client_id)] * len(bodies)
        before: asyncio.Task[list[SendResult]] | None = None
        parts = []
        for part in chunks(bodies, _PART):
            before = asyncio.create_task(self._take_part(client_id, part, lane, before))
            parts.append(before)
        return [result for part in await asyncio.gather(*parts) for result in part]

    async def _take_part(
        self,
        client_id: str,
        bodies: Sequence[bytes],
        lane: Lane,
        before: "asyncio.Task[list[SendResult]] | None",
    ) -> list[SendResult]:
        """Answer a part of a batch: it is read and judged while the part before it is taken, and taken after that."""
        results: dict[int, SendResult] = {}
        sends = []
        for index, body in enumerate(bodies):
            send = self._read(client_id, index, body)
            if isinstance(send, Send):
                sends.append(send)
            else:
                results[index] = send
        if sends:
            results |= await self._in_turn(client_id, sends, lane, before)
        return [results[index] for index in range(len(bodies))]

    def _read(self, client_id: str, index: int, body: bytes) -> Send | SendResult:
        if len(body) > MAX_BODY:
            return SendResult(Result.refused(ResultCode.PARAM_ILLEGAL, f"$: is larger than {MAX_BODY} bytes"))
        try:
            request = parse(self._limits.request_model, body)
        except ContractViolationError as violation:
            return SendResult(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation)))
        if not self._clients.may_send_for(client_id, request.appId):
            refusal = Result.refused(ResultCode.ACCESS_DENIED, "$.appId: this client may not send for it")
            return SendResult(refusal, request_id=request.requestId)
        return Send(index, request, message_id(request.appId, request.requestId), request.fingerprint())

    async def _in_turn(
        self,
        client_id: str,
        sends: Sequence[Send],
        lane: Lane,
        before: "asyncio.Task[list[SendResult]] | None",
    ) -> dict[int, SendResult]:
        try:
            async with asyncio.timeout(_PATIENCE), self._turns.turn():
                return await self._take_readable(client_id, sends, lane, before)
        except (LedgerUnavailableError, TimeoutError) as error:
            return _unknown(sends, error)

    async def _take_readable(
        self,
        client_id: str,
        sends: Sequence[Send],
        lane: Lane,
        before: "asyncio.Task[list[SendResult]] | None",
    ) -> dict[int, SendResult]:
        facts = await self._facts(sends)
        verdicts = {send.index: judge(send.request, facts) for send in sends}
        if before is not None:
            await asyncio.wait([before])
        verdicts |= await self._over_cap(sends, verdicts)
        results = await self._accept(client_id, sends, verdicts, lane)
        # Refusals come after what is taken: the same requestId may stand in both.
        refused = [send for send in sends if isinstance(verdicts[send.index], Result)]
        return results | await self._refuse_or_repeat(refused, verdicts, facts)

    async def _facts(self, sends: Sequence[Send]) -> Facts:
        tokens = list({send.request.accessToken for send in sends})
        grants = await self._users.resolve(tokens)
        codes = list({send.request.templateCode for send in sends})
        return Facts(
            grants=dict(zip(tokens, grants, strict=True)),
            templates=await live_templates(self._templates, self._compiled, codes),
            wallets=await self._wallets.all(),
            now=self._clock.now(),
        )

    async def _over_cap(
        self,
        sends: Sequence[Send],
        verdicts: Mapping[int, Admission | Result],
    ) -> dict[int, Result]:
        """Return refusals for sends beyond their wallet's cap; a repeat takes no place (R35)."""
        capped = [
            (send, CapRequest(send.message_id, send.request.appId, verdict.user, verdict.wallet.cap))
            for send in sends
            if isinstance(verdict := verdicts[send.index], Admission) and verdict.wallet.cap is not None
        ]
        if not capped:
            return {}
        known = await self._ledger.probe([_probe(send, request.user) for send, request in capped])
        new = [place for place, acceptance in zip(capped, known, strict=True) if acceptance is Acceptance.ABSENT]
        reserved = await self._caps.reserve([request for _, request in new])
        return {send.index: _CAP_REACHED for (send, _), has_place in zip(new, reserved, strict=True) if not has_place}

    async def _refuse_or_repeat(
        self,
        sends: Sequence[Send],
        verdicts: Mapping[int, Admission | Result],
        facts: Facts,
    ) -> dict[int, SendResult]:
        """Answer sends that would be refused: a requestId that is known was taken once, whatever is true now (R50)."""
        if not sends:
            return {}
        try:
            acceptances = await self._ledger.probe([_probe(send, resolved_user(send.request, facts)) for send in sends])
        except LedgerUnavailableError as error:
            return _unknown(sends, error)
        results = {}
        for send, known in zip(sends, acceptances, strict=True):
            refusal = verdicts[send.index]
            if known is Acceptance.ABSENT and isinstance(refusal, Result):
                results[send.index] = SendResult(refusal, request_id=send.request.requestId)
            else:
                results[send.index] = _accepted(send, known, ())
        return results

    async def _accept(
        self,
        client_id: str,
        sends: Sequence[Send],
        verdicts: Mapping[int, Admission | Result],
        lane: Lane,
    ) -> dict[int, SendResult]:
        by_app: dict[str, list[tuple[Send, Admission]]] = defaultdict(list)
        for send in sends:
            verdict = verdicts[send.index]
            if isinstance(verdict, Admission):
                by_app[send.request.appId].append((send, verdict))
        results: dict[int, SendResult] = {}
        for app_id, admitted in by_app.items():
            results |= await self._accept_for_app(client_id, app_id, admitted, lane)
        return results

    async def _accept_for_app(
        self,
        client_id: str,
        app_id: str,
        admitted: Sequence[tuple[Send, Admission]],
        lane: Lane,
    ) -> dict[int, SendResult]:
        within = self._limits.deliver_within
        messages = [new_message(client_id, send, admission, within) for send, admission in admitted]
        try:
            accepted = await self._ledger.accept(app_id, lane, messages)
        except LedgerUnavailableError as error:
            return _unknown([send for send, _ in admitted], error)
        self._hints.publish(hints_of(lane, messages, accepted, self._limits.shards))
        return {
            send.index: _accepted(send, acceptance, admission.remarks)
            for (send, admission), acceptance in zip(admitted, accepted, strict=True)
        }


def _accepted(send: Send, acceptance: Acceptance, remarks: tuple[str, ...]) -> SendResult:
    request_id = send.request.requestId
    if acceptance is Acceptance.INCONSISTENT:
        return SendResult(_INCONSISTENT, request_id=request_id)
    return SendResult(SUCCESS, send.message_id, request_id, remarks)


def _unknown(sends: Sequence[Send], error: Exception) -> dict[int, SendResult]:
    log.warning("intake_unknown", sends=len(sends), reason=str(error) or type(error).__name__)
    return {send.index: SendResult(UNKNOWN, request_id=send.request.requestId) for send in sends}


def _probe(send: Send, user: User | None) -> Probe:
    return Probe(send.message_id, send.fingerprint, user_digest(user) if user else "")
