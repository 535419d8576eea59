"""Reading what Redis answers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from worker.contract.messages import Channel
from worker.contract.origins import BatchTally, Origin
from worker.contract.outcomes import Tally


def text(value: bytes | str) -> str:
    """Return a reply as text: redis-py answers bytes here, and says that it may answer either."""
    return value.decode() if isinstance(value, bytes) else value


def raw(value: bytes | str) -> bytes:
    """Return a reply as bytes."""
    return value.encode() if isinstance(value, str) else value


def tallies_of(counters: Iterable[Mapping[bytes | str, bytes | str]]) -> dict[tuple[str, Channel], Tally]:
    """Return the counters of shards, summed, by appId and channel."""
    totals: dict[tuple[str, Channel], Tally] = defaultdict(Tally)
    for shard in counters:
        for field, number in shard.items():
            app_id, channel, status = text(field).rsplit("#", 2)
            totals[app_id, Channel(channel)] += Tally(**{status: int(number)})
    return dict(totals)


def batch_tallies_of(counters: Mapping[bytes | str, bytes | str]) -> dict[Origin, BatchTally]:
    """Return the counters of a shard's batches, by batch."""
    totals: dict[Origin, BatchTally] = defaultdict(BatchTally)
    for field, number in counters.items():
        origin, _, status = text(field).rpartition("#")
        totals[Origin.read(origin)] += BatchTally(**{status: int(number)})
    return dict(totals)
