"""Plays one wallet call: validate, find out what each message's script says, act, answer (CONTRACT R65-R69)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from worker.adapters.gateways.simulator.behaviours import (
    DELIVER,
    PREFIX,
    Behaviour,
    Kind,
    behaviour_of,
    first_call_wide,
)
from worker.adapters.gateways.simulator.calls import CallMessage, parse_call, parse_inquiry
from worker.adapters.gateways.simulator.deliveries import Deliveries
from worker.adapters.gateways.simulator.exchange import JSON, NO_HEADERS, Reply, Reset, Response, Silence, text_response
from worker.adapters.gateways.simulator.journal import Journal, JournalledCall, keep_nothing
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode
from worker.contract.errors import ContractViolationError

_REFUSALS: dict[Kind, dict[str, Any]] = {
    Kind.FAIL: {"retry": False, "resultCode": "USER_NOT_EXIST", "resultMessage": "The user does not exist."},
    Kind.RETRY: {"retry": True, "resultCode": "SYSTEM_BUSY", "resultMessage": "The system is busy, try again."},
    Kind.FLAKY: {"retry": True, "resultCode": "SYSTEM_BUSY", "resultMessage": "The system is busy, try again."},
    Kind.MISTYPED: {
        "retry": False,
        "resultCode": "SIMULATOR_SCRIPT_UNKNOWN",
        "resultMessage": "A customerId that begins with sim- must be a script of the gateway simulator.",
    },
}
"""What an entry says of a message that its user doesn't get."""

_GARBAGE = b'{"result":{"resultCode":"SUCCESS","resultSta'
_POISONED = "A message of the call can't be processed."


class _Turn(NamedTuple):
    """One message of a call with what it is up to. A tuple, because up to 20 a call are made."""

    message: CallMessage
    script: Behaviour
    """What its user, or everybody, was told to do."""
    behaviour: Behaviour
    """What that means at this turn."""


class SimulatedGateway:
    """Answers `POST /v2/platform/message/send` and `POST /v2/platform/message/inquiry`."""

    def __init__(self, deliveries: Deliveries, now: Callable[[], int], journal: Journal = keep_nothing) -> None:
        """Record in `deliveries`, and each call in `journal`; `now` returns milliseconds since 1970."""
        self._deliveries = deliveries
        self._now = now
        self._journal = journal
        self.everybody: Behaviour | None = None
        """Outranks the users' own scripts while it is set."""

    def answer(self, body: bytes) -> Reply:
        """Play one call."""
        self._deliveries.count_call()
        try:
            messages = parse_call(body)
        except ContractViolationError as error:
            return self._refuse(str(error))
        at = self._now()
        if self._journal is keep_nothing:
            return self._play(messages, at)[1]
        ids = [message["messageId"] for message in messages]
        before = [self._deliveries.tally(key).delivered for key in ids]
        met, reply = self._play(messages, at)
        shown = (key for key, seen in zip(ids, before, strict=True) if self._deliveries.tally(key).delivered > seen)
        self._journal(JournalledCall(at, tuple(ids), tuple(shown), met.name))
        return reply

    def inquire(self, body: bytes) -> Reply:
        """Say of each message whether its user has it; what is not there was not delivered.

        Only what everybody was told to do, and holds for whole calls, holds for inquiries too.
        """
        self._deliveries.count_inquiry()
        try:
            message_ids = parse_inquiry(body)
        except ContractViolationError as error:
            return self._refuse(str(error))
        if self.everybody is not None and self.everybody.is_call_wide:
            return self._reply(self.everybody)
        known = [message_id for message_id in message_ids if self._deliveries.tally(message_id).delivered]
        return _answer(SUCCESS, [_success(message_id) for message_id in known])

    def _play(self, messages: Sequence[CallMessage], at: int) -> tuple[Behaviour, Reply]:
        """Return what the call met, which is the first that was not plain delivery if there is one, and the answer."""
        if self.everybody is None and not any(message["customerId"].startswith(PREFIX) for message in messages):
            return DELIVER, self._deliver_all(messages, at)
        turns = [self._turn(message) for message in messages]
        met = next((turn.behaviour for turn in turns if turn.behaviour is not DELIVER), DELIVER)
        held = first_call_wide(turn.behaviour for turn in turns)
        return met, self._answer_each(turns, at) if held is None else self._hold_all(turns, held, at)

    def _deliver_all(self, messages: Sequence[CallMessage], at: int) -> Response:
        """Show a call that holds nothing scripted, as nearly every one."""
        for message in messages:
            self._deliveries.deliver(message, DELIVER.name, 0, at)
        return _answer(SUCCESS, [_success(message["messageId"]) for message in messages])

    def _turn(self, message: CallMessage) -> _Turn:
        script = self.everybody or behaviour_of(message["customerId"])
        if script is DELIVER:
            return _Turn(message, script, script)
        turn = self._deliveries.tally(message["messageId"]).turns + 1
        return _Turn(message, script, script.at_turn(turn, message["messageId"]))

    def _answer_each(self, turns: Sequence[_Turn], at: int) -> Response:
        entries = [entry for turn in turns if (entry := self._settle(turn, at)) is not None]
        delay = max(turn.behaviour.value if turn.behaviour.kind is Kind.SLOW else 0 for turn in turns)
        return _answer(SUCCESS, entries, delay)

    def _settle(self, turn: _Turn, at: int) -> dict[str, Any] | None:
        """Act on one message and return its entry, None when that is to be missing."""
        message, behaviour = turn.message, turn.behaviour
        if behaviour.delivers:
            self._deliveries.deliver(message, behaviour.name, _turns_of(turn.script), at)
        else:
            self._deliveries.withhold(message, behaviour.name, _turns_of(turn.script))
        if behaviour.kind is Kind.MISSING:
            return None
        refusal = _REFUSALS.get(behaviour.kind)
        if refusal is None or self._deliveries.is_settled(message["messageId"]):
            return _success(message["messageId"])
        return {"messageId": message["messageId"], "success": False, **refusal}

    def _hold_all(self, turns: Sequence[_Turn], held: Behaviour, at: int) -> Reply:
        for turn in turns:
            self._hold(turn, held, at)
        return self._reply(held)

    def _hold(self, turn: _Turn, held: Behaviour, at: int) -> None:
        """Act on one message of a call that another one, or itself, decides."""
        is_played = turn.behaviour == held or (held.acts and not turn.script.is_call_wide)
        turns = _turns_of(turn.script) if is_played else 0
        if held.acts and turn.behaviour.delivers:
            self._deliveries.deliver(turn.message, held.name, turns, at)
        else:
            self._deliveries.withhold(turn.message, held.name, turns)

    def _reply(self, held: Behaviour) -> Reply:
        match held.kind:
            case Kind.HANG:
                return Silence()
            case Kind.RESET:
                return Reset()
            case Kind.UNKNOWN:
                return _answer(UNKNOWN, [])
            case Kind.REJECT:
                return self._refuse(_POISONED)
            case Kind.GARBAGE:
                return Response(HTTPStatus.OK, _GARBAGE)
            case _:
                return _http_failure(held)

    def _refuse(self, reason: str) -> Response:
        self._deliveries.count_rejected()
        return _answer(Result.refused(ResultCode.PARAM_ILLEGAL, reason), [])


def _turns_of(script: Behaviour) -> int:
    """Return the turns a call takes of a script: none of plain delivery, so that a later script has all its own."""
    return 0 if script is DELIVER else 1


def _success(message_id: str) -> dict[str, Any]:
    return {"messageId": message_id, "success": True, "retry": False}


def _answer(result: Result, entries: list[dict[str, Any]], delay: int = 0) -> Response:
    content = {
        "result": {
            "resultCode": result.code,
            "resultStatus": result.status,
            "resultMessage": result.message,
        },
        "messageSendResults": entries,
        "extendInfo": None,
    }
    return Response(HTTPStatus.OK, orjson.dumps(content), JSON, NO_HEADERS, delay)


def _http_failure(held: Behaviour) -> Response:
    status = HTTPStatus(int(held.kind))
    headers = {} if held.kind is Kind.BROKEN else {"Retry-After": str(held.value)}
    return text_response(status, status.phrase, headers)
