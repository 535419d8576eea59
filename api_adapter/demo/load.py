"""Sends the demo's notices, over HTTP and by batch; where nobody can say whether one was taken, again (R52)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyreqwest.client import Client

from api_adapter.demo.scenario import CLIENT_ID, Notice, Via
from api_adapter.intake import Intake
from api_adapter.stack.sending import NO_REPLY, Reply, post, take
from worker.batching import chunks
from worker.contract.codes import ResultStatus

_CONNECTIONS = 32
_BATCH = 200
_TRIES = 5
_PAUSE = 0.3


@dataclass(slots=True)
class Sent:
    """What became of the sends so far."""

    replies: dict[str, Reply] = field(default_factory=dict)
    """By requestId; the last reply to each."""
    taken: dict[Via, int] = field(default_factory=lambda: dict.fromkeys(Via, 0))
    seconds: dict[Via, float] = field(default_factory=lambda: dict.fromkeys(Via, 0.0))

    def note(self, notice: Notice, reply: Reply) -> None:
        """Note the last reply to a notice."""
        self.replies[notice.request_id] = reply
        self.taken[notice.via] += reply.status == ResultStatus.S

    def per_second(self, via: Via) -> float:
        """Return how many a second were taken, over the time that the sending took."""
        return self.taken[via] / self.seconds[via] if self.seconds[via] else 0.0


async def send_all(client: Client, url: str, intake: Intake, notices: Sequence[Notice], sent: Sent) -> None:
    """Send every notice its way, both ways at once; `url` is that of the send."""
    over_http = [notice for notice in notices if notice.via is Via.HTTP]
    by_batch = [notice for notice in notices if notice.via is Via.BATCH]
    async with asyncio.TaskGroup() as ways:
        ways.create_task(_over_http(client, url, over_http, sent))
        ways.create_task(_by_batch(intake, by_batch, sent))


async def send_over_http(client: Client, url: str, notice: Notice) -> Reply:
    """Send one notice, again while nobody can say whether it was taken."""
    reply = NO_REPLY
    for _ in range(_TRIES):
        reply = await post(client, url, CLIENT_ID, notice.body)
        if not reply.is_unknown:
            break
        await asyncio.sleep(_PAUSE)
    return reply


async def _over_http(client: Client, url: str, notices: Sequence[Notice], sent: Sent) -> None:
    started = asyncio.get_running_loop().time()
    waiting = iter(notices)
    async with asyncio.TaskGroup() as connections:
        for _ in range(_CONNECTIONS):
            connections.create_task(_one_connection(client, url, waiting, sent))
    sent.seconds[Via.HTTP] = asyncio.get_running_loop().time() - started


async def _one_connection(client: Client, url: str, waiting: Iterator[Notice], sent: Sent) -> None:
    for notice in waiting:
        sent.note(notice, await send_over_http(client, url, notice))


async def _by_batch(intake: Intake, notices: Sequence[Notice], sent: Sent) -> None:
    started = asyncio.get_running_loop().time()
    for chunk in chunks(notices, _BATCH):
        await _take(intake, chunk, sent)
    sent.seconds[Via.BATCH] = asyncio.get_running_loop().time() - started


async def _take(intake: Intake, notices: Sequence[Notice], sent: Sent) -> None:
    unknown = await _take_once(intake, notices, sent)
    for _ in range(_TRIES - 1):
        if not unknown:
            break
        await asyncio.sleep(_PAUSE)
        unknown = await _take_once(intake, unknown, sent)
    for notice in unknown:
        sent.note(notice, NO_REPLY)


async def _take_once(intake: Intake, notices: Sequence[Notice], sent: Sent) -> list[Notice]:
    """Return the notices of which nobody can say whether they were taken."""
    replies = await take(intake, CLIENT_ID, [notice.body for notice in notices])
    answered = list(zip(notices, replies, strict=True))
    for notice, reply in answered:
        if not reply.is_unknown:
            sent.note(notice, reply)
    return [notice for notice, reply in answered if reply.is_unknown]
