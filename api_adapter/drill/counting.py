"""From what the merchant, the gateway and the ledger know to the numbers of a drill's row. Pure.

Times are milliseconds since 1970 by the one clock of the machine that the drill runs on.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from worker.adapters.gateways.simulator import JournalledCall
from worker.contract.codes import ResultStatus

AT_ONCE = 1_000
"""Milliseconds after a process goes on within which it writes what it had been about to write."""


@dataclass(frozen=True, slots=True)
class Window:
    """When a fault was played. Beginning and end are the same for what takes no time, such as a kill."""

    start: int
    end: int
    thawed: bool = False
    """Whether it ended with a process that had been stopped and goes on."""


@dataclass(frozen=True, slots=True)
class Story:
    """What the ledger says of one delivery (a message on one channel) whose merchant was told that it is taken."""

    key: str
    """The idempotency key towards the gateway."""
    request_id: str
    taken_at: int
    """0: the ledger does not know the message."""
    state: ResultStatus | None
    """Final outcome; None: there is none, or the ledger does not know the message."""
    recorded_at: int | None
    """When the final outcome was recorded."""
    dead: str = ""
    """DeadCause, or empty."""
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known after a drill."""

    stories: Sequence[Story]
    calls: Sequence[JournalledCall]
    """What the gateway noted, in order."""
    window: Window | None = None
    """None: the fault was there all the time."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of a row; the unit is a delivery."""

    accepted: int
    delivered: int
    """Different keys that users saw."""
    states: Mapping[ResultStatus, int]
    lost: tuple[str, ...]
    """Keys of what is neither final nor a dead letter, or is S and was never shown."""
    duplicates: int
    """Times that a user saw a key again."""
    answer_lost: int
    """Calls for what users had, before an outcome was recorded: the earlier answer had not come back."""
    after_outcome: int
    """Calls for a channel that began after its final outcome was recorded."""
    frozen: int
    """Such calls that a stopped process had been about to write: no fence can stop those."""
    stall: float
    """Seconds; see `longest_stall`."""
    recovery: float | None
    """Seconds from the end of the fault to the first delivery of what was accepted after it; None: there is neither."""


@dataclass(slots=True)
class _Repeats:
    duplicates: int = 0
    answer_lost: int = 0
    after_outcome: int = 0
    frozen: int = 0


def first_shown(calls: Sequence[JournalledCall]) -> dict[str, int]:
    """Return when users first saw each key."""
    shown: dict[str, int] = {}
    for call in sorted(calls, key=attrgetter("at")):
        for key in call.shown:
            shown.setdefault(key, call.at)
    return shown


def count(evidence: Evidence) -> Counts:
    """Return the numbers of a drill."""
    repeats = _repeats(evidence)
    shown = first_shown(evidence.calls)
    return Counts(
        accepted=len(evidence.stories),
        delivered=len(shown),
        states=Counter(story.state for story in evidence.stories if story.state is not None),
        lost=tuple(story.key for story in evidence.stories if _is_lost(story, shown)),
        duplicates=repeats.duplicates,
        answer_lost=repeats.answer_lost,
        after_outcome=repeats.after_outcome,
        frozen=repeats.frozen,
        stall=longest_stall(evidence.stories, shown, evidence.window) / 1000,
        recovery=_recovery(evidence, shown),
    )


def _is_lost(story: Story, shown: Mapping[str, int]) -> bool:
    match story.state:
        case ResultStatus.S:
            return story.key not in shown
        case ResultStatus.F:
            return False
        case ResultStatus.U:
            return not story.dead
        case None:
            return True


def _repeats(evidence: Evidence) -> _Repeats:
    found = _Repeats()
    stories = {story.key: story for story in evidence.stories}
    seen: set[str] = set()
    for call in sorted(evidence.calls, key=attrgetter("at")):
        for key in call.message_ids:
            if _is_late(stories.get(key), call.at):
                if _was_frozen(stories[key], call.at, evidence.window):
                    found.frozen += 1
                else:
                    found.after_outcome += 1
            else:
                found.answer_lost += key in seen
        found.duplicates += len(seen.intersection(call.shown))
        seen.update(call.shown)
    return found


def _is_late(story: Story | None, at: int) -> bool:
    return story is not None and story.recorded_at is not None and at > story.recorded_at


def _was_frozen(story: Story, at: int, window: Window | None) -> bool:
    """Say whether a call is one that a stopped process wrote as it went on: its claim had ended without an outcome."""
    return window is not None and window.thawed and window.end <= at <= window.end + AT_ONCE and story.crashes > 0


def longest_stall(stories: Sequence[Story], shown: Mapping[str, int], window: Window | None) -> int:
    """Return the longest time, in ms, in which deliveries waited and none was shown, the fault's own time aside.

    A delivery waits from its acceptance until it is shown, or until its outcome where it never is.
    """
    changes = _changes_in_waiting(stories, shown)
    edges = {window.start, window.end} if window else set()
    breaks = edges | {shown[story.key] for story in stories if story.key in shown}
    longest, waiting, since = 0, 0, 0
    for at in sorted(changes.keys() | edges):
        if waiting and not (window and window.start <= since and at <= window.end):
            longest = max(longest, at - since)
        if not waiting or at in breaks:
            since = at
        waiting += changes.get(at, 0)
    return longest


def _changes_in_waiting(stories: Sequence[Story], shown: Mapping[str, int]) -> dict[int, int]:
    """Return by how many the deliveries that wait grow at each moment; a message that is not known does not wait."""
    changes = defaultdict[int, int](int)
    for story in stories:
        over = shown.get(story.key, story.recorded_at)
        if over is not None and story.taken_at:
            changes[min(story.taken_at, over)] += 1
            changes[over] -= 1
    return changes


def _recovery(evidence: Evidence, shown: Mapping[str, int]) -> float | None:
    if evidence.window is None:
        return None
    end = evidence.window.end
    # What was accepted before may still come by an old way: what is new has to pass all of it.
    after = [shown[story.key] for story in evidence.stories if story.taken_at >= end and story.key in shown]
    return (min(after) - end) / 1000 if after else None
