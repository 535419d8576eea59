"""Pause, resume and cancel of what was not sent yet, for merchants. Framework-free like look-ups."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from api_adapter.clients import Clients
from api_adapter.inquiries import Json, refusal, result_json
from api_adapter.origin_pauses import BatchStateError, OriginPauses
from api_adapter.turns import Turns
from worker.contract.cancellations import Cancelled
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode
from worker.contract.errors import ContractViolationError, LedgerUnavailableError
from worker.contract.identity import message_id
from worker.contract.origin_requests import CancelRequest, OriginRequest
from worker.contract.origins import Origin
from worker.contract.parsing import parse
from worker.origin_ports import Cancellations

MOST_AT_ONCE = 20_000
"""Messages after which a cancel of everything answers, and says that there may be more."""
_AT_ONCE = 4
"""Calls that use the ledger at once: each may touch thousands of messages."""
_DENIED = Result.refused(ResultCode.ACCESS_DENIED, "$.appId: this client may not pause, resume or cancel its messages")
_REASON = "by the merchant"

COUNTED = {
    Cancelled.CANCELLED: "cancelled",
    Cancelled.FINAL: "final",
    Cancelled.TRIED: "tried",
    Cancelled.HELD: "held",
    Cancelled.LATER: "later",
    Cancelled.UNKNOWN: "neverSeen",
}
"""What the counts of an answer are called."""

log = structlog.get_logger(__name__)

Request = TypeVar("Request", bound=OriginRequest)


@dataclass(frozen=True, slots=True)
class Origins:
    """Answers requests about a merchant's or a batch's messages, for callers that may send for the appId."""

    clients: Clients
    pauses: OriginPauses
    cancellations: Cancellations
    turns: Turns

    @classmethod
    def of(cls, clients: Clients, pauses: OriginPauses, cancellations: Cancellations) -> "Origins":
        """Return the answers that stand on these."""
        return cls(clients, pauses, cancellations, Turns(_AT_ONCE))

    async def pause(self, headers: Mapping[str, str], body: bytes) -> Json:
        """Keep what was not sent from being sent; answers whether it was so before, and how much waits then."""
        return await self._answer(headers, OriginRequest, body, self._pause)

    async def resume(self, headers: Mapping[str, str], body: bytes) -> Json:
        """Let it go on; answers whether it was paused by itself, and how much waits still."""
        return await self._answer(headers, OriginRequest, body, self._resume)

    async def cancel(self, headers: Mapping[str, str], body: bytes) -> Json:
        """End what was not sent; answers what became of it, by numbers and, of requestIds, one by one."""
        return await self._answer(headers, CancelRequest, body, self._cancel)

    async def _answer(
        self,
        headers: Mapping[str, str],
        model: type[Request],
        body: bytes,
        act: Callable[[Request], Awaitable[Json]],
    ) -> Json:
        try:
            caller = await self.clients.identify(headers)
            if isinstance(caller, Result):
                return refusal(caller)
            request = parse(model, body)
            if not caller.may_send_for(request.appId):
                return refusal(_DENIED)
            async with self.turns.turn():
                return {"result": result_json(SUCCESS), **await act(request)}
        except ContractViolationError as violation:
            return refusal(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation)))
        except BatchStateError as error:
            return refusal(Result.refused(ResultCode.BATCH_STATE_ILLEGAL, f"$.batchId: {error}"))
        except LedgerUnavailableError as error:
            log.warning("origin_unknown", reason=str(error))
            return refusal(UNKNOWN)

    async def _pause(self, request: OriginRequest) -> Json:
        before = await self.pauses.pause(request.origin)
        return {"wasPaused": before, **await self._standing(request.origin)}

    async def _resume(self, request: OriginRequest) -> Json:
        before = await self.pauses.resume(request.origin)
        return {"wasPaused": before, **await self._standing(request.origin)}

    async def _standing(self, origin: Origin) -> Json:
        standing = await self.cancellations.standing(origin)
        return {
            "paused": await self.pauses.pausing(origin) is not None,
            "waiting": standing.backlogged,
            "scheduled": standing.scheduled,
            "due": standing.due,
        }

    async def _cancel(self, request: CancelRequest) -> Json:
        if request.requestIds is not None:
            return await self._cancel_named(request.appId, request.requestIds)
        total, more = Counter[Cancelled](), False
        async for codes in self.cancellations.cancel_all(request.origin, _REASON):
            total += codes
            more = total[Cancelled.CANCELLED] >= MOST_AT_ONCE
            if more:
                break
        return {**_counts(total), "more": more}

    async def _cancel_named(self, app_id: str, request_ids: Sequence[str]) -> Json:
        ids = [message_id(app_id, request_id) for request_id in request_ids]
        codes = await self.cancellations.cancel(app_id, ids, _REASON)
        items = [
            {"requestId": request_id, "messageId": id_, "outcome": outcome_of(code)}
            for request_id, id_, code in zip(request_ids, ids, codes, strict=True)
        ]
        return {**_counts(Counter(codes)), "more": False, "items": items}


def outcome_of(code: Cancelled) -> str:
    """Return what the API calls it."""
    return "NEVER_SEEN" if code is Cancelled.UNKNOWN else code.name


def _counts(total: Mapping[Cancelled, int]) -> Json:
    return {name: total.get(code, 0) for code, name in COUNTED.items()}
