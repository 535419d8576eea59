"""Gathers what is known after a drill: the gateway's journal, and what the ledger says of each taken message."""

from collections.abc import Iterator, Sequence

from api_adapter.drill.counting import Evidence, Story
from api_adapter.drill.sends import Send
from api_adapter.drill.stage import Stage
from worker.adapters.gateways.simulator import read_journal
from worker.contract.codes import ResultStatus
from worker.contract.identity import delivery_key
from worker.contract.messages import Channel, DeliveryState
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome


async def gather(stage: Stage) -> Evidence:
    """Return what is known of every send that was answered with S."""
    taken = stage.load.taken
    outcomes = await stage.services.records.find([send.message_id for send in taken])
    return Evidence(
        stories=list(_stories(taken, outcomes)),
        calls=list(read_journal(stage.stack.journal)),
        window=stage.window,
    )


def _stories(taken: Sequence[Send], outcomes: Sequence[MessageOutcome | None]) -> Iterator[Story]:
    for send, outcome in zip(taken, outcomes, strict=True):
        deliveries = {} if outcome is None else {one.channel: one for one in outcome.deliveries}
        for channel in Channel:
            yield _story(send, channel, outcome, deliveries.get(channel))


def _story(send: Send, channel: Channel, outcome: MessageOutcome | None, delivery: DeliveryOutcome | None) -> Story:
    final = delivery is not None and delivery.state not in {DeliveryState.OPEN, DeliveryState.SKIPPED}
    return Story(
        key=delivery_key(send.message_id, channel),
        request_id=send.request_id,
        taken_at=outcome.taken_at if outcome else 0,
        state=ResultStatus(delivery.state.value) if delivery and final else None,
        recorded_at=delivery.at if delivery and final else None,
        dead=outcome.dead_cause if outcome else "",
        crashes=outcome.crashes if outcome else 0,
    )
