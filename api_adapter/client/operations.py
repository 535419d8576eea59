"""What the API offers, each as one exchange: calls, repeats of what is unknown, and what is returned in the end."""

import gzip
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
from typing_extensions import override

from api_adapter.client.access import Access
from api_adapter.client.answers import Difference, MessageStatus, Model, Outcome, Result, SendAnswer, Status
from api_adapter.client.errors import RefusedError, UnknownError
from api_adapter.client.exchange import Answer, Caller, Content, Exchange, Pause, is_too_fast, unknown
from api_adapter.client.requests import Expectation, Sendable, body_of
from api_adapter.client.waits import Patience, Waits
from api_adapter.paths import BATCH_INQUIRY, BATCH_SEND, INQUIRY, RECONCILE, SEND
from worker.contract.codes import ResultCode, ResultStatus
from worker.contract.reprs import repr_without
from worker.contract.requests import MAX_INQUIRIES, MAX_SENDS
from worker.contract.send_fields import LARGEST_SEND
from worker.ports import Clock

MAX_CALL = 1024 * 1024
"""Bytes of a batch or look-up (R15)."""
_AROUND_SENDS = len(b'{"sends":[]}')
_AROUND_IDS = 256
_AROUND_AN_ID = len(b'{"requestId":,"status":"NEVER_SEEN"},')
_NOT_JSON = "$: the body is not valid JSON"
_NOT_AN_OBJECT = "$: must be an object"
_REPEAT = "Repeat it: nothing is done twice."
_TOO_LARGE = f"$: the body is larger than {LARGEST_SEND} bytes"

Answered = TypeVar("Answered", bound=Model)
Asked = TypeVar("Asked")


class _Batch(Model):
    result: Result
    items: tuple[SendAnswer, ...] = ()


class Reconciled(Model):
    """What came of laying a part of the books beside the ledger."""

    statuses: tuple[Status, ...]
    differences: tuple[Difference, ...]


class _Statuses(Model):
    result: Result
    items: tuple[MessageStatus, ...]


class Readable(NamedTuple):
    """A send that can be put into a batch, and what its answer is put down as."""

    place: int
    request_id: str | None
    body: bytes

    @override
    def __repr__(self) -> str:
        return repr_without(self, "body")


class Operations:
    """The API as exchanges; what drives them is the faces' affair."""

    def __init__(
        self,
        access: Access,
        patience: Patience,
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Keep how calls are made and how long they are repeated; `draw` gives numbers in [0, 1)."""
        self._caller = Caller(access, clock)
        self._patience = patience
        self._clock = clock
        self._draw = draw

    def send(self, send: Sendable) -> Exchange[SendAnswer]:
        """Have one send taken. Raises RefusedError (F), UnknownError (U), and as `Caller.call`."""
        body = body_of(send)
        answer = yield from self._patiently(SEND, Content(body), SendAnswer, sends=1)
        result = _settled(answer, "Repeat it with the same requestId.")
        found = answer.content
        if found is None:
            return SendAnswer(result=result)
        return found.model_copy(update={"request_id": _request_id(body)})

    def send_batch(self, sends: Sequence[Sendable]) -> Exchange[list[SendAnswer]]:
        """Have up to 500 sends of up to 1 MiB taken; an answer for each, in order, be it S, F or U.

        Raises RefusedError when the whole call is refused, and as `Caller.call`.
        """
        answers, still = _read(sends)
        waits = self._waits()
        while still:
            answer = yield from self._caller.call(BATCH_SEND, _packed(still), waits.timeout(), _Batch)
            if _is_unreadable(answer) and len(still) > 1:
                # One of them spoils the call for all: halved until it stands alone.
                yield from self._halves(still, answers)
                break
            _put(answers, still, answer)
            repeated = [send for send in still if _may_be_repeated(answers[send.place])]
            # A limit lets some through each time: as long as it does, patience lasts.
            waits = waits if len(repeated) == len(still) else self._waits()
            still = repeated
            pause = waits.next(answer.retry_after) if still else None
            if pause is None:
                break
            yield Pause(pause, len(still), answers[still[0].place].result.message, waits.left())
        return answers

    def _halves(self, sends: Sequence[Readable], answers: list[SendAnswer]) -> Exchange[None]:
        middle = len(sends) // 2
        for half in (sends[:middle], sends[middle:]):
            said = yield from self.send_batch([send.body for send in half])
            for send, answer in zip(half, said, strict=True):
                answers[send.place] = answer

    def inquire(self, question: dict[str, str]) -> Exchange[Outcome | None]:
        """Look one message up; None for one that was never taken, or is forgotten. Raises as `send`."""
        answer = yield from self._patiently(INQUIRY, Content(orjson.dumps(question)), Outcome)
        if answer.result.code == ResultCode.MESSAGE_NOT_EXIST:
            return None
        _settled(answer)
        return answer.content

    def inquire_many(self, app_id: str, request_ids: Sequence[str]) -> Exchange[list[MessageStatus]]:
        """Look up to 10,000 requestIds up; a status for each, in order. Raises as `send`."""
        body = orjson.dumps({"appId": app_id, "requestIds": request_ids})
        return list((yield from self.ask(BATCH_INQUIRY, Content(body), _Statuses)).items)

    def reconcile(self, app_id: str, books: Sequence[Expectation]) -> Exchange[Reconciled]:
        """Lay the books of up to 10,000 messages beside the ledger. Raises as `send`."""
        messages = [{"requestId": request_id, "status": status} for request_id, status in books]
        body = orjson.dumps({"appId": app_id, "messages": messages})
        return (yield from self.ask(RECONCILE, Content(body), Reconciled))

    def ask(
        self,
        path: str,
        content: Content,
        model: type[Answered],
        patience: Callable[[Patience], Patience] = lambda usual: usual,
    ) -> Exchange[Answered]:
        """Return what S says. Raises as `send`."""
        answer = yield from self._patiently(path, content, model, patience=patience(self._patience))
        _settled(answer)
        if answer.content is None:
            raise UnknownError(answer.result, _REPEAT)
        return answer.content

    def _patiently(
        self,
        path: str,
        content: Content,
        model: type[Answered],
        *,
        sends: int = 0,
        patience: Patience | None = None,
    ) -> Exchange[Answer[Answered]]:
        """Ask until there is an answer that repeating would not change, or no time is left."""
        waits = self._waits(patience)
        while True:
            answer = yield from self._caller.call(path, content, waits.timeout(), model)
            pause = waits.next(answer.retry_after) if answer.may_be_repeated else None
            if pause is None:
                return answer
            yield Pause(pause, sends, answer.result.message, waits.left())

    def _waits(self, patience: Patience | None = None) -> Waits:
        return Waits(patience or self._patience, self._clock.monotonic, self._draw)


def parts(sends: Iterable[Sendable]) -> Iterator[list[bytes]]:
    """Cut sends into what fits into one call each: up to 500 of up to 1 MiB."""
    part: list[bytes] = []
    size = _AROUND_SENDS
    for body in map(body_of, sends):
        needed = len(body) + 1 if len(body) <= LARGEST_SEND else 0
        if part and (len(part) == MAX_SENDS or size + needed > MAX_CALL):
            yield part
            part, size = [], _AROUND_SENDS
        part.append(body)
        size += needed
    if part:
        yield part


def id_parts(request_ids: Iterable[str]) -> Iterator[list[str]]:
    """Cut requestIds into what fits into one look-up each: up to 10,000 of up to 1 MiB."""
    return _look_up_parts(request_ids, str)


def book_parts(books: Iterable[Expectation]) -> Iterator[list[Expectation]]:
    """Cut books into what fits into one call each, as `id_parts` does."""
    return _look_up_parts(books, lambda message: message.request_id)


def _look_up_parts(messages: Iterable[Asked], id_of: Callable[[Asked], str]) -> Iterator[list[Asked]]:
    part: list[Asked] = []
    size = _AROUND_IDS
    for one in messages:
        needed = len(orjson.dumps(id_of(one))) + _AROUND_AN_ID
        if part and (len(part) == MAX_INQUIRIES or size + needed > MAX_CALL):
            yield part
            part, size = [], _AROUND_IDS
        part.append(one)
        size += needed
    if part:
        yield part


def _settled(answer: Answer[Any], advice: str = _REPEAT) -> Result:
    """Return the result of what was done; raise RefusedError or UnknownError."""
    match answer.result.status:
        case ResultStatus.S:
            return answer.result
        case ResultStatus.F:
            raise RefusedError(answer.result, answer.retry_after)
        case ResultStatus.U:
            raise UnknownError(answer.result, advice)


def _read(sends: Sequence[Sendable]) -> tuple[list[SendAnswer], list[Readable]]:
    """Return the answers so far, and what has to be sent: what is no send at all would spoil the batch it is in."""
    answers, readable = [], []
    for index, body in enumerate(map(body_of, sends)):
        request_id, fault = _examined(body)
        result = Result(code=ResultCode.PARAM_ILLEGAL, status=ResultStatus.F, message=fault)
        answers.append(SendAnswer(result=result if fault else unknown("Nobody was asked"), request_id=request_id))
        if not fault:
            readable.append(Readable(index, request_id, body))
    return answers, readable


def _examined(body: bytes) -> tuple[str | None, str]:
    """Return the requestId of a send where it has one, and why it is none, if so."""
    if len(body) > LARGEST_SEND:
        return None, _TOO_LARGE
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, _NOT_JSON
    if not isinstance(fields, dict):
        return None, _NOT_AN_OBJECT
    request_id = fields.get("requestId")
    return request_id if isinstance(request_id, str) else None, ""


def _request_id(body: bytes) -> str | None:
    return _examined(body)[0]


def _put(answers: list[SendAnswer], sent: Sequence[Readable], answer: Answer[_Batch]) -> None:
    """Note what a call said of each send; raise RefusedError when it was refused as a whole."""
    items = answer.content.items if answer.content else ()
    may_stand = is_too_fast(answer.result) or _is_unreadable(answer)
    if answer.result.status is ResultStatus.F and not may_stand:
        raise RefusedError(answer.result, answer.retry_after)
    if len(items) == len(sent):
        said = zip(sent, items, strict=True)
        for send, item in said:
            answers[send.place] = item.model_copy(update={"request_id": send.request_id})
        return
    whole = (
        unknown("The answer does not tell of each send") if answer.result.status is ResultStatus.S else answer.result
    )
    for send in sent:
        answers[send.place] = SendAnswer(result=whole, request_id=send.request_id)


def _packed(sends: Sequence[Readable]) -> Content:
    body = b'{"sends":[' + b",".join([send.body for send in sends]) + b"]}"
    # The quickest level: it takes away most of what repeats in notices already.
    return Content(gzip.compress(body, compresslevel=1, mtime=0), encoding="gzip")


def _is_unreadable(answer: Answer[_Batch]) -> bool:
    return answer.result.code == ResultCode.PARAM_ILLEGAL


def _may_be_repeated(answer: SendAnswer) -> bool:
    return answer.status is ResultStatus.U or is_too_fast(answer.result)
