"""Look-ups: one message with its whole story, or thousands with S, U, F or never seen (CONTRACT R70-R73).

Framework-free like intake: headers and bytes in, a JSON-ready answer out.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

import structlog

from api_adapter.clients import Caller, Clients
from api_adapter.reconciling import NEVER_SEEN, Json, find_statuses, reconcile, reconciled_json, whole_json
from api_adapter.turns import Turns
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode
from worker.contract.errors import ContractViolationError, LedgerUnavailableError
from worker.contract.identity import message_id
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome, TimelineEntry, WholeOutcome
from worker.contract.parsing import parse
from worker.contract.requests import BatchInquiry, Inquiry, Reconciliation
from worker.ports import Records

_MESSAGE_ID = re.compile(r"[0-9a-f]{32}")
"""What `worker.contract.identity.message_id` gives."""
_AT_ONCE = 16
"""Look-ups that read the ledger at once."""

_DENIED = Result.refused(ResultCode.ACCESS_DENIED, "$.appId: this client may not look up its messages")
_NOT_THERE = Result.refused(ResultCode.MESSAGE_NOT_EXIST, "no such message was taken, or it is forgotten")

__all__ = ["NEVER_SEEN", "Inquiries", "Json", "outcome_json", "refusal", "result_json"]

log = structlog.get_logger(__name__)


class Inquiries:
    """Answers look-ups for callers that may send for the appId."""

    def __init__(self, clients: Clients, records: Records) -> None:
        """Keep the collaborators."""
        self._clients = clients
        self._records = records
        self._turns = Turns(_AT_ONCE)

    async def one(self, headers: Mapping[str, str], body: bytes) -> Json:
        """Return a message's outcome by (appId, requestId) or messageId."""

        async def answer(caller: Caller) -> Json | Result:
            outcome = await self._find(caller, parse(Inquiry, body))
            return outcome if isinstance(outcome, Result) else outcome_json(outcome)

        return await self._answer(headers, answer)

    async def many(self, headers: Mapping[str, str], body: bytes) -> Json:
        """Return the status of up to 10,000 requestIds, in order."""

        async def answer(caller: Caller) -> Json | Result:
            inquiry = parse(BatchInquiry, body)
            if not caller.may_send_for(inquiry.appId):
                return _DENIED
            async with self._turns.turn():
                found = await find_statuses(self._records, inquiry.appId, inquiry.requestIds)
            return {
                "items": [_item(request_id, *one) for request_id, one in zip(inquiry.requestIds, found, strict=True)]
            }

        return await self._answer(headers, answer)

    async def reconcile(self, headers: Mapping[str, str], body: bytes) -> Json:
        """Return how a merchant's books of up to 10,000 requestIds differ from the ledger, and each status in order."""

        async def answer(caller: Caller) -> Json | Result:
            books = parse(Reconciliation, body)
            if not caller.may_send_for(books.appId):
                return _DENIED
            async with self._turns.turn():
                return reconciled_json(await reconcile(self._records, books))

        return await self._answer(headers, answer)

    async def _answer(self, headers: Mapping[str, str], answer: Callable[[Caller], Awaitable[Json | Result]]) -> Json:
        """Return what is answered to whoever calls, or why not."""
        try:
            caller = await self._clients.identify(headers)
            found = caller if isinstance(caller, Result) else await answer(caller)
        except ContractViolationError as violation:
            found = Result.refused(ResultCode.PARAM_ILLEGAL, str(violation))
        except LedgerUnavailableError as error:
            log.warning("inquiry_unknown", reason=str(error))
            found = UNKNOWN
        return refusal(found) if isinstance(found, Result) else {"result": result_json(SUCCESS), **found}

    async def _find(self, caller: Caller, inquiry: Inquiry) -> MessageOutcome | Result:
        if inquiry.messageId is None:
            app_id, request_id = inquiry.appId or "", inquiry.requestId or ""
            if not caller.may_send_for(app_id):
                return _DENIED
            wanted = message_id(app_id, request_id)
        else:
            wanted = inquiry.messageId
        if not _MESSAGE_ID.fullmatch(wanted):
            return _NOT_THERE
        async with self._turns.turn():
            (outcome,) = await self._records.find([wanted])
        # A messageId of somebody else's appId answers like an unknown one: it tells nobody that it exists.
        if outcome is None or not caller.may_send_for(outcome.app_id):
            return _NOT_THERE
        return outcome


def result_json(result: Result) -> Json:
    """Return the `result` object of an answer."""
    return {"resultCode": result.code, "resultStatus": result.status, "resultMessage": result.message}


def refusal(result: Result) -> Json:
    """Return an answer that is its result alone."""
    return {"result": result_json(result)}


def outcome_json(outcome: MessageOutcome) -> Json:
    """Return everything known of a message; times in milliseconds since 1970."""
    return {
        "messageId": outcome.message_id,
        "appId": outcome.app_id,
        "requestId": outcome.request_id,
        **whole_json(outcome.whole),
        "lane": outcome.lane,
        "templateCode": outcome.template_code,
        "templateVersion": outcome.template_version,
        "language": outcome.language,
        "takenAt": outcome.taken_at,
        "settledAt": outcome.settled_at,
        "expiresAt": outcome.expires_at,
        "nextTryAt": outcome.next_at,
        "waitsFor": outcome.waits_for,
        "attempts": outcome.attempts,
        "tries": outcome.tries,
        "crashes": outcome.crashes,
        "deadLetter": outcome.dead_cause or None,
        "channels": [_channel(delivery, outcome.expires_at) for delivery in outcome.deliveries],
        "timeline": [_entry(entry) for entry in outcome.timeline],
    }


def _channel(delivery: DeliveryOutcome, expires_at: int) -> Json:
    return {
        "channel": delivery.channel,
        "status": delivery.status or "SKIPPED",
        "reason": delivery.reason,
        "settledBy": delivery.settled_by(expires_at),
        "code": delivery.code or None,
        "message": delivery.message or None,
        "at": delivery.at,
    }


def _entry(entry: TimelineEntry) -> Json:
    return {
        "attempt": entry.attempt,
        "claimedAt": entry.claimed_at,
        "settledAt": entry.settled_at,
        "worker": entry.worker,
        "results": list(entry.results),
    }


def _item(request_id: str, id_: str, status: WholeOutcome | None) -> Json:
    if status is None:
        return {"requestId": request_id, "status": NEVER_SEEN}
    return {"requestId": request_id, "messageId": id_, **whole_json(status)}
