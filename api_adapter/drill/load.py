"""Sends the notices of a drill at a steady pace, each again until it is known whether it was taken (R52)."""

import asyncio
from collections.abc import Sequence

from pyreqwest.client import Client

from api_adapter.drill.sends import CLIENT_ID, Send, Via
from api_adapter.intake import Intake
from api_adapter.paths import SEND
from api_adapter.stack.sending import NO_REPLY, Reply, post, take
from worker.contract.codes import ResultStatus

_CONNECTIONS = 8
_BATCH = 200
_TICK = 0.02
_PAUSE = 0.2
_PATIENCE = 60.0
"""Seconds after which a notice that nobody answers for is given up."""


class Load:
    """The merchant's side of a drill: what it sent and what it was told."""

    def __init__(self, client: Client, api_url: str, intake: Intake) -> None:
        """Send by these two ways."""
        self._client = client
        self.url = api_url + SEND
        self._intake = intake
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self.replies: dict[Send, Reply] = {}
        """The last reply to each send."""

    @property
    def taken(self) -> list[Send]:
        """The sends that were answered with S."""
        return [send for send, reply in self.replies.items() if reply.status == ResultStatus.S]

    async def run(self, sends: Sequence[Send], seconds: float) -> None:
        """Send all, spread evenly over so many seconds."""
        async with asyncio.TaskGroup() as ways:
            ways.create_task(self._by_batch([send for send in sends if send.via is Via.BATCH], seconds))
            over_http = [send for send in sends if send.via is Via.HTTP]
            for number in range(_CONNECTIONS):
                ways.create_task(self._over_http(over_http[number::_CONNECTIONS], seconds))

    async def flood(self, sends: Sequence[Send], seconds: float) -> None:
        """Send these in batches, within so many seconds if it can be."""
        await self._by_batch(sends, seconds)

    def pause(self) -> None:
        """Send nothing more, until `go_on`; then what fell due meanwhile is sent first."""
        self._goes_on.clear()

    def go_on(self) -> None:
        """Go on sending."""
        self._goes_on.set()

    async def post(self, send: Send) -> Reply:
        """Send one over HTTP until it is known whether it was taken; return what was answered."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE
        reply = NO_REPLY
        while reply.is_unknown and clock() < deadline:
            reply = await post(self._client, self.url, CLIENT_ID, send.body)
            await asyncio.sleep(_PAUSE if reply.is_unknown else 0)
        self.replies[send] = reply
        return reply

    async def _over_http(self, sends: Sequence[Send], seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        for number, send in enumerate(sends):
            await asyncio.sleep(max(0, started + seconds * number / len(sends) - clock()))
            await self._goes_on.wait()
            await self.post(send)

    async def _by_batch(self, sends: Sequence[Send], seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        unknown: list[Send] = []
        next_one = 0
        deadline = started + seconds + _PATIENCE
        while (next_one < len(sends) or unknown) and clock() < deadline:
            await self._goes_on.wait()
            due = min(len(sends), int(len(sends) * (clock() - started) / seconds) + 1)
            batch = [*unknown, *sends[next_one:due]][:_BATCH]
            next_one += max(0, len(batch) - len(unknown))
            unknown = await self._take(batch)
            await asyncio.sleep(_PAUSE if unknown else _TICK)

    async def _take(self, batch: Sequence[Send]) -> list[Send]:
        """Return the sends of which nobody can say whether they were taken."""
        if not batch:
            return []
        replies = dict(zip(batch, await take(self._intake, CLIENT_ID, [send.body for send in batch]), strict=True))
        self.replies |= replies
        return [send for send, reply in replies.items() if reply.is_unknown]
