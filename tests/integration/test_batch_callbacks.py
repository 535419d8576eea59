"""A merchant is told what it wants of a batch, and nothing else, by the outbox of a real ledger."""

import asyncio
from hashlib import sha256

import pytest

from api_adapter.batch_records import RowFormat
from api_adapter.batch_uploading import PartBody
from api_adapter.decompressing import Encoding
from api_adapter.wiring import Front, front
from tests.batch_jobs import BATCH, DEFAULTS, ids, lines, numbers
from tests.front_desk import APP, TOKEN, grant, payment_notice, wallet
from tests.ledger_driver import dead, final, learnt
from tests.servers import TOKEN_SECRET
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.bootstrap import Addresses, Services
from worker.contract.batch_requests import BatchCreation, BatchRun, PartName
from worker.contract.callbacks import (
    EVERY_OUTCOME,
    CallbackKey,
    CallbackRegistration,
    OutcomeKey,
    ProgressKey,
    SealedSecret,
)
from worker.contract.messages import Channel, DeliveryState
from worker.contract.parsing import parse_fields
from worker.settings import Settings

REGISTERED = CallbackRegistration(APP, "https://shop.example", EVERY_OUTCOME, (SealedSecret("sealed"),))
DELIVERED, FAILED = ids(["delivered", "failed"])
TOLD_S, TOLD_F, WHOLE = OutcomeKey(APP, DELIVERED, 1), OutcomeKey(APP, FAILED, 1), ProgressKey(APP, BATCH, 100)


async def furnish(found: Services) -> None:
    await found.ledger.open()
    await found.users.put([(TOKEN, grant())])
    await found.wallets.put(wallet())
    await found.templates.put(payment_notice())
    await found.callbacks.change(APP, lambda _: REGISTERED)


async def run(served: Front, fields: dict[str, object]) -> None:
    """Run a batch of two rows."""
    created = await served.batches.create(
        parse_fields(BatchCreation, {**DEFAULTS, **fields, "appId": APP, "batchId": BATCH})
    )
    content = lines(["delivered", "failed"])
    name = PartName(appId=APP, batchId=BATCH, part=1, sha256=sha256(content).hexdigest())
    part = await served.uploads.upload(
        {"client-id": "merchant-1"}, name, PartBody(RowFormat.JSONL, Encoding.PLAIN, content)
    )
    ran = await served.batches.run(BatchRun(appId=APP, batchId=BATCH, rows=2))
    assert (created["state"], numbers(part), ran["state"]) == ("HELD", (2, 0, 0), "RUNNING")


async def deliver(found: Services) -> None:
    """Have one of the rows end with S, the other with F."""
    await found.ledger.release(await found.ledger.backlogged())
    for message_id, state, settled in ((DELIVERED, DeliveryState.S, final), (FAILED, DeliveryState.F, dead)):
        (claim,) = await found.ledger.claim(found.keys.shard(message_id), [message_id], f"of {message_id}")
        await found.ledger.settle([settled(claim, *(learnt(state, channel=channel) for channel in Channel))])


async def outbox(found: Services) -> set[CallbackKey]:
    """Return what is to be told."""
    callbacks = RedisCallbackOutbox(found.redis, found.keys)
    return {one.key for one in await callbacks.claim(dict.fromkeys(await callbacks.due(), 10), 60_000)}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, {TOLD_S, TOLD_F, WHOLE}),
        ({"callbackOutcomes": ["F", "U"]}, {TOLD_F, WHOLE}),
        ({"callbackOutcomes": []}, {WHOLE}),
        ({"progressCallbacks": False}, {TOLD_S, TOLD_F}),
        ({"callbackOutcomes": [], "progressCallbacks": False}, set()),
    ],
)
def test_the_outbox_has_what_is_wanted_of_the_batch(
    redis_url: str, fields: dict[str, object], told: set[CallbackKey]
) -> None:
    async def story() -> None:
        settings = Settings(redis_url=redis_url, token_secret=TOKEN_SECRET)
        async with front(settings, Addresses(redis_url, redis_url)) as served:
            found = served.services
            await furnish(found)
            await run(served, fields)
            await deliver(found)
            await found.progress_teller.look_after()

            assert await outbox(found) == told
            assert [audit async for audit in found.audit.shards() if not audit.clean] == []

    asyncio.run(story())
