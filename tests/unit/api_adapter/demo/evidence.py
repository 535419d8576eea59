"""A demo that went as planned, as evidence; what a test is about is replaced by keyword."""

from collections import Counter
from typing import Any

from api_adapter.demo.scenario import APP_ID, CLIENT_ID, FEWEST, Notice, notices
from api_adapter.demo.verdict import Evidence, Repeat
from api_adapter.stack.sending import Reply
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome, Tally

NOON = 1_700_000_000_000
PLANNED = notices(FEWEST)
TAKEN = Reply("S", "SUCCESS", "m1")


def outcome(notice: Notice, **replaced: Any) -> MessageOutcome:  # noqa: ANN401 - whatever the fields hold
    """Return how a notice ends when all goes as planned, half a second after it was taken."""
    skipped = [channel for channel in Channel if channel not in notice.channels]
    code = {ResultStatus.S: "", ResultStatus.F: "USER_NOT_EXIST", ResultStatus.U: "UNANSWERED"}[notice.ends]
    ended = DeliveryState(notice.ends.value)
    deliveries = [DeliveryOutcome(channel, ended, code, "", NOON + 500) for channel in notice.channels]
    deliveries += [DeliveryOutcome(channel, DeliveryState.SKIPPED, "", "", None) for channel in skipped]
    fields: dict[str, Any] = {
        "message_id": message_id(APP_ID, notice.request_id),
        "app_id": APP_ID,
        "request_id": notice.request_id,
        "client_id": CLIENT_ID,
        "lane": Lane.SINGLE,
        "template_code": "PAYMENT_NOTICE",
        "template_version": 1,
        "language": "en-US",
        "taken_at": NOON,
        "expires_at": NOON + 86_400_000,
        "deliveries": tuple(deliveries),
        "attempts": 1,
        "tries": 1,
        "crashes": 0,
        "next_at": None,
        "waits_for": None,
        "dead_cause": "UNANSWERED" if notice.ends is ResultStatus.U else "",
        "timeline": (),
    }
    return MessageOutcome(**fields | replaced)


def tallies() -> dict[Channel, Tally]:
    """Return the ledger's counters when all went as planned."""
    return {channel: _tally(channel) for channel in Channel}


def _tally(channel: Channel) -> Tally:
    ends = Counter(notice.ends for notice in PLANNED if channel in notice.channels)
    return Tally(ends.total(), ends[ResultStatus.S], ends[ResultStatus.F], ends[ResultStatus.U])


def shown() -> int:
    """Return how many deliveries users saw when all went as planned."""
    return sum(
        len(notice.channels) for notice in PLANNED if notice.person.fault is None or notice.person.fault.is_shown
    )


def evidence(**replaced: Any) -> Evidence:  # noqa: ANN401 - whatever the fields hold
    """Return what is found out when all went as planned."""
    fields: dict[str, Any] = {
        "notices": PLANNED,
        "replies": {notice.request_id: TAKEN for notice in PLANNED},
        "statuses": {notice.request_id: str(notice.ends) for notice in PLANNED},
        "outcomes": {notice.request_id: outcome(notice) for notice in PLANNED},
        "tallies": tallies(),
        "counts": {"delivered": shown(), "deliveredKeys": shown(), "deliveredTwice": 0, "repeatedCalls": 7},
        "repeat": Repeat(PLANNED[0].request_id, TAKEN, TAKEN, 93, 93),
    }
    return Evidence(**fields | replaced)
