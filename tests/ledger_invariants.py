"""What no operation on a ledger may ever break."""

from collections import Counter
from collections.abc import Mapping

from tests.ledger_state import LedgerState
from worker.contract.messages import Channel, DeliveryState
from worker.contract.outcomes import DeliveryOutcome, Reason, Tally

_COUNTED = (DeliveryState.S, DeliveryState.F, DeliveryState.U, DeliveryState.OPEN)


def check_conservation(state: LedgerState, accepted: Mapping[tuple[str, Channel], int]) -> None:
    """Count anew from the records and from all that was ever accepted; what is accepted and gone was forgotten."""
    found = Counter(
        (known.outcome.app_id, delivery.channel, delivery.state)
        for known in state.records.values()
        for delivery in known.outcome.deliveries
    )
    expected = {}
    for (app, channel), number in accepted.items():
        s, f, u, still_open = (found[app, channel, one] for one in _COUNTED)
        expected[app, channel] = Tally(number, s, f, u, still_open, number - s - f - u - still_open)
    assert state.tallies == expected
    assert all(tally.balanced for tally in state.tallies.values())


def check_homes(state: LedgerState) -> None:
    """Every open message has exactly one home, no other message has one, and each index names what it should."""
    homes = Counter([*state.due, *state.scheduled, *(one for waiting in state.backlogs.values() for one in waiting)])
    still_open = {one for one, known in state.records.items() if known.outcome.settled_at is None}
    assert homes == Counter(still_open)
    assert state.records.keys() - still_open == state.dead.keys() | state.retention.keys()
    assert not state.dead.keys() & state.retention.keys()
    assert {letter.message_id: letter.died_at for letter in state.dead_letters} == state.dead
    assert still_open | state.dead.keys() <= state.payloads.keys() <= state.records.keys()
    assert Counter(message_id for _, _, message_id in (*state.window, *state.waiting)) == Counter(state.due.keys())
    misses = {one for one, known in state.records.items() if any(map(_misses_answer, known.outcome.deliveries))}
    assert state.unanswered.keys() == misses
    assert state.unknown.keys() == {
        one for one in state.dead if any(map(_is_unknown, state.records[one].outcome.deliveries))
    }
    assert state.backlogs.keys() == state.released.keys() | state.stopped.keys()
    for shard, _, origin in state.released:
        assert not _pausing(shard, origin) & state.paused.keys()
    for (shard, lane, origin), look_at in state.stopped.items():
        assert _pausing(shard, origin) & state.paused.keys()
        first = state.deadlines[state.backlogs[shard, lane, origin][0]]
        assert look_at <= first or (shard, origin) in state.staged
    assert state.staged.keys() <= state.paused.keys()
    assert all(state.records[one].outcome.expires_at == deadline for one, deadline in state.deadlines.items())


def _pausing(shard: int, origin: str) -> set[tuple[int, str]]:
    return {(shard, origin), (shard, origin.partition("#")[0])}


def _misses_answer(delivery: DeliveryOutcome) -> bool:
    return delivery.state is DeliveryState.OPEN and delivery.reason is Reason.UNANSWERED


def _is_unknown(delivery: DeliveryOutcome) -> bool:
    return delivery.state is DeliveryState.U


def check_history(before: LedgerState, after: LedgerState) -> None:
    """No attempt number decreases, and no channel that has an outcome gets another one, unless a replay opens it."""
    for message_id in before.records.keys() & after.records.keys():
        was, is_now = before.records[message_id].outcome, after.records[message_id].outcome
        assert is_now.attempts >= was.attempts
        assert is_now.interventions[: len(was.interventions)] == was.interventions
        reopened = len(is_now.interventions) > len(was.interventions)
        assert reopened or is_now.tries >= was.tries
        assert reopened or is_now.crashes >= was.crashes
        for old, new in zip(was.deliveries, is_now.deliveries, strict=True):
            assert new == old or old.state is DeliveryState.OPEN or (reopened and old.state is not DeliveryState.S)
