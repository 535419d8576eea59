"""One performance of the demo on a running stack: register, send, wait until all is settled, ask everybody."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from pyreqwest.client import Client

from api_adapter.cancellation import heed_cancellation
from api_adapter.demo.faults import WALLETS
from api_adapter.demo.load import Sent, send_all, send_over_http
from api_adapter.demo.progress import Display, Glance
from api_adapter.demo.report import Report, make_report
from api_adapter.demo.scenario import APP_ID, CLIENT_ID, Notice, people
from api_adapter.demo.verdict import Evidence, Repeat, total
from api_adapter.paths import BATCH_INQUIRY, SEND
from api_adapter.stack.exchanges import exchange
from api_adapter.stack.samples import put_templates
from api_adapter.stack.sending import headers
from api_adapter.wiring import Front
from worker.batching import chunks
from worker.bootstrap import Services
from worker.contract.identity import message_id
from worker.contract.messages import Channel
from worker.contract.outcomes import MessageOutcome, Reason, Tally
from worker.contract.requests import MAX_INQUIRIES
from worker.contract.users import GatewayRoute, Wallet

_GLANCE = 0.2
_PATIENCE = 30.0
"""Seconds without any movement after which what is open counts as stuck."""


async def prepare(services: Services, gateway_url: str, notices: Sequence[Notice]) -> None:
    """Register templates, wallets and users; each wallet has a gateway of its own name at the simulator."""
    await services.ledger.open()
    await put_templates(services)
    for name in WALLETS:
        await services.wallets.put(Wallet(name, (GatewayRoute(f"{name.lower()}-gateway", gateway_url),)))
    await services.users.put([(person.token, person.grant) for person in people(notices)])


class Performance:
    """Sends the notices of a plan and finds out what became of them."""

    def __init__(self, front: Front, client: Client, api_url: str, notices: Sequence[Notice]) -> None:
        """Keep what it plays on; `client` reaches the API over HTTP."""
        self._front = front
        self._client = client
        self._api_url = api_url
        self._notices = notices
        self._sent = Sent()

    async def play(self, display: Display) -> None:
        """Send everything and return once all is settled, or nothing has moved for long; `display` shows how far."""
        loop = asyncio.get_running_loop()
        started = moved_at = loop.time()
        before: Mapping[Channel, Tally] = {}
        async with self._sending() as sending:
            while True:
                heed_cancellation()
                all_sent = sending.done()
                tallies = await self._tallies()
                display.show(Glance(loop.time() - started, len(self._notices), self._sent.taken, tallies))
                moved_at = moved_at if tallies == before else loop.time()
                if all_sent and (not total(tallies).open or loop.time() - moved_at > _PATIENCE):
                    return
                before = tallies
                await asyncio.sleep(_GLANCE)

    async def report(self, gateway_url: str) -> Report:
        """Ask the merchant's look-up, the ledger and the simulator, and compare."""
        repeat = await self._repeat(self._notices[0])
        outcomes = await self._outcomes()
        evidence = Evidence(
            notices=self._notices,
            replies=self._sent.replies,
            statuses=await self._statuses(),
            outcomes={outcome.request_id: outcome for outcome in outcomes if outcome is not None},
            tallies=await self._tallies(),
            counts=await self._get(f"{gateway_url}/counts"),
            repeat=repeat,
        )
        return make_report(evidence, self._sent)

    @asynccontextmanager
    async def _sending(self) -> AsyncIterator["asyncio.Task[None]"]:
        sending = asyncio.create_task(
            send_all(self._client, self._api_url + SEND, self._front.intake, self._notices, self._sent)
        )
        try:
            yield sending
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _repeat(self, notice: Notice) -> Repeat:
        first, before = self._sent.replies[notice.request_id], total(await self._tallies()).accepted
        second = await send_over_http(self._client, self._api_url + SEND, notice)
        return Repeat(notice.request_id, first, second, before, total(await self._tallies()).accepted)

    async def _tallies(self) -> dict[Channel, Tally]:
        found = await self._front.services.records.tallies()
        return {channel: found.get((APP_ID, channel), Tally()) for channel in Channel}

    async def _outcomes(self) -> list[MessageOutcome | None]:
        ids = [message_id(APP_ID, notice.request_id) for notice in self._notices]
        return await self._front.services.records.find(ids)

    async def _statuses(self) -> dict[str, str]:
        statuses: dict[str, str] = {}
        for chunk in chunks(self._notices, MAX_INQUIRIES):
            body = {"appId": APP_ID, "requestIds": [notice.request_id for notice in chunk]}
            request = (
                self._client.post(self._api_url + BATCH_INQUIRY)
                .headers(headers(CLIENT_ID))
                .body_bytes(orjson.dumps(body))
            )
            _, answer = await exchange(request)
            statuses |= {item["requestId"]: _status(item) for item in orjson.loads(answer)["items"]}
        return statuses

    async def _get(self, url: str) -> dict[str, Any]:
        _, answer = await exchange(self._client.get(url))
        found: dict[str, Any] = orjson.loads(answer)
        return found


def _status(item: Mapping[str, Any]) -> str:
    return Reason.OPEN.value if item.get("reason") == Reason.OPEN else str(item["status"])
