"""Up to 500 sends in one call, each judged by itself: an answer for each, in order (CONTRACT R15, R30-R42).

Framework-free like intake: headers and bytes in, a JSON-ready answer out. The JSON is read once; what is common to all
sends stands once, beside them.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias
from uuid import uuid4

import orjson
import structlog
from pydantic_core import from_json

from api_adapter.common_fields import CommonFields, Item, bounded
from api_adapter.decompressing import Encoding, NotGzipError, encoding_of, gunzip
from api_adapter.inquiries import Json, result_json
from api_adapter.intake import Intake
from api_adapter.reading import MAX_BODY
from api_adapter.taking import SendResult
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode, ResultStatus
from worker.contract.errors import ContractViolationError, LedgerUnavailableError
from worker.contract.messages import Lane
from worker.contract.origins import NO_BATCH, BatchPart, BatchStart, Origin
from worker.contract.parsing import parse_fields
from worker.contract.requests import BatchSend
from worker.origin_ports import Batches

MAX_BATCH_BODY = 1024 * 1024
"""Bytes of a batchSend, before and after decompression (R15)."""
_PATH = re.compile(r"\$[^:;\s]*(?=: | and )")
_LONGEST_ID = 64
_KNOWN = frozenset({ResultCode.SUCCESS, ResultCode.REPEAT_REQ_INCONSISTENT})
"""How a send is answered whose requestId was taken."""

_REFUSED = Result.refused(
    ResultCode.BATCH_REFUSED, "is not taken, as a send of this atomic batch is refused; correct that one"
)

Name: TypeAlias = tuple[str | None, str | None]
"""appId and requestId."""

log = structlog.get_logger(__name__)


class BatchBody(NamedTuple):
    """A batch as it was read."""

    items: Sequence[Item]
    atomic: bool
    """Whether either all are taken, or none."""


class BatchAnswer(NamedTuple):
    """The answer to a batch."""

    content: Json
    """`result` of the whole, `items` in order, `totals`."""
    results: Sequence[SendResult]
    """What became of each send, in order."""


class BatchSending:
    """Has the sends of a batch taken."""

    def __init__(self, intake: Intake, batches: Batches) -> None:
        """Keep intake, and what decides of staged batches."""
        self._intake = intake
        self._batches = batches

    async def send(self, headers: Mapping[str, str], body: bytes) -> BatchAnswer:
        """Answer a batch.

        The whole is U while some item is: the same batch may be sent again, and what was taken answers the same. Raises
        ContractViolationError for a batch that can't be read as one, and as `decompressed` does.
        """
        batch = read_batch(decompressed(headers, body, MAX_BATCH_BODY))
        if batch.atomic:
            results = await self._all_or_none(headers, batch.items)
            refused = any(answer.result.status is ResultStatus.F for answer in results)
            return BatchAnswer(_answer(batch.items, results, _REFUSED if refused else SUCCESS), results)
        results = await self._each(headers, batch.items)
        return BatchAnswer(_answer(batch.items, results, SUCCESS), results)

    async def _each(
        self,
        headers: Mapping[str, str],
        items: Sequence[Item],
        part: BatchPart = NO_BATCH,
    ) -> Sequence[SendResult]:
        readable = [item for item in items if not isinstance(item, Result)]
        answers = iter(await self._intake.take(headers, readable, Lane.BULK, part))
        return [SendResult(item) if isinstance(item, Result) else next(answers) for item in items]

    async def _all_or_none(self, headers: Mapping[str, str], items: Sequence[Item]) -> Sequence[SendResult]:
        """Stage all, and let them go once each is there; should this process die before, a sweeper withdraws them."""
        app_ids = {app_id for item in items if (app_id := _text(item, "appId")) is not None}
        if len(app_ids) > 1:
            raise ContractViolationError(["$.atomic: all sends must have the same appId"])
        # Without any appId nothing can be taken, nor staged.
        batch = Origin(app_ids.pop() if app_ids else "", uuid4().hex)
        results = await self._each(headers, items, BatchPart(batch.batch_id, BatchStart.STAGED))
        try:
            return await self._decided(batch, results)
        except LedgerUnavailableError as error:
            log.warning("batch_undecided", reason=str(error))
            return [_replaced(answer, UNKNOWN) for answer in results]

    async def _decided(self, batch: Origin, results: Sequence[SendResult]) -> Sequence[SendResult]:
        statuses = {answer.result.status for answer in results}
        if statuses == {ResultStatus.S}:
            ran = await self._batches.run(batch)
            return results if ran else [_replaced(answer, UNKNOWN) for answer in results]
        await self._batches.withdraw(batch)
        instead = UNKNOWN if ResultStatus.U in statuses else _REFUSED
        return [_replaced(answer, instead) for answer in results]


def _replaced(answer: SendResult, instead: Result) -> SendResult:
    """Return what a send is answered whose batch is not taken; its own refusal stands."""
    return answer if answer.result.status is ResultStatus.F else replace(answer, result=instead, message_id=None)


def decompressed(headers: Mapping[str, str], body: bytes, most: int) -> bytes:
    """Return a body without its Content-Encoding.

    Raises ContractViolationError where it can't be read, BodyTooLargeError where it holds more than `most` bytes.
    """
    encoding = encoding_of(headers)
    if encoding is None:
        raise ContractViolationError(["header Content-Encoding: must be gzip, or absent"])
    if encoding is Encoding.PLAIN:
        return body
    try:
        return gunzip(body, most)
    except NotGzipError as error:
        raise ContractViolationError([f"$: {error}"]) from None


def read_batch(body: bytes) -> BatchBody:
    """Return a batch with what all sends have in common put into each; raise ContractViolationError."""
    try:
        document = from_json(body)
    except ValueError:
        raise ContractViolationError(["$: the body is not valid JSON"]) from None
    batch = parse_fields(BatchSend, document)
    common = CommonFields(document)
    items = [common.put_into(send) for send in batch.sends]
    # A send is a part of this body, so in a small one none is too large.
    return BatchBody([bounded(item) for item in items] if len(body) > MAX_BODY else items, batch.atomic)


def _answer(items: Sequence[Item], answers: Sequence[SendResult], whole: Result) -> Json:
    """Return the answer to a batch; `whole` is what it is as a whole, unless an item is U."""
    statuses = Counter(answer.result.status for answer in answers)
    names = [_name(item) for item in items]
    taken: dict[Name, int] = {}
    for index, answer in enumerate(answers):
        if answer.message_id is not None:
            taken.setdefault(names[index], index)
    return {
        "result": result_json(UNKNOWN if statuses[ResultStatus.U] else whole),
        "items": [
            _item_json(index, request_id, answer, taken.get((app_id, request_id)))
            for index, ((app_id, request_id), answer) in enumerate(zip(names, answers, strict=True))
        ],
        "totals": {"sends": len(items), **{status.value: statuses[status] for status in ResultStatus}},
    }


def _name(item: Item) -> Name:
    return (_text(item, "appId"), _text(item, "requestId"))


def _text(item: Item, field: str) -> str | None:
    """Return a field of an item that may be no good, if it is a text that is short enough to be told."""
    value = None if isinstance(item, Result) else item.get(field)
    return value if isinstance(value, str) and len(value) <= _LONGEST_ID else None


def _item_json(index: int, request_id: str | None, answer: SendResult, taken: int | None) -> Json:
    """Return an item's answer; `taken` is the index of the first item that was taken under its requestId."""
    item: Json = {"index": index, "requestId": request_id, "result": result_json(answer.result)}
    if answer.message_id is not None:
        item["messageId"] = answer.message_id
    if taken is not None and taken != index and answer.result.code in _KNOWN:
        item["repeatOf"] = taken
    path = _PATH.match(answer.result.message) if answer.result.status is ResultStatus.F else None
    if path is not None:
        item["path"] = f"$.sends[{index}]{path[0][1:]}"
    if answer.remarks:
        item["extendInfo"] = orjson.dumps({"lint": answer.remarks}).decode()
    return item
