"""One call of the API and what its answer means, without any I/O: what both faces of the client do (CONTRACT R20-R31).

An `Exchange` is a generator. It yields a `Step`, a call to make or a pause to keep, gets what came of it, and returns
what was asked for. Whoever drives it makes the calls: blocking or not, it is the same exchange.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError
from typing_extensions import override

from api_adapter.client.access import Access
from api_adapter.client.answers import Model, Result
from api_adapter.client.errors import RefusedError, UntrustedAnswerError
from api_adapter.client.waits import retry_after
from worker.contract.codes import UNKNOWN, ResultCode, ResultStatus
from worker.contract.moments import moment_text, read_moment
from worker.ports import Clock
from worker.signatures import is_signed, read_signature, signed_content, signed_digest

_OK = 200
_UNANSWERED = frozenset({408, 425, 429, *range(500, 600)})
"""HTTP statuses of whatever stands before the API: nobody knows whether it was called."""
_LARGEST_SHOWN = 256

Answered = TypeVar("Answered", bound=Model)
Answered_co = TypeVar("Answered_co", bound=Model, covariant=True)
Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A POST to make."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float
    """Seconds, from connecting to the end of the answer."""


class Content(NamedTuple):
    """What a call carries; its body is in no text that this gives."""

    body: bytes
    """As it is sent, and signed."""
    media_type: str = "application/json; charset=UTF-8"
    encoding: str = ""
    """The Content-Encoding that the body has."""

    @override
    def __repr__(self) -> str:
        """Return how much there is."""
        return f"Content({len(self.body)} bytes, {self.media_type!r}, {self.encoding!r})"


class HttpReply(NamedTuple):
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Lost(NamedTuple):
    """No answer came: nobody knows whether the call reached the API."""

    why: str


class Pause(NamedTuple):
    """Nothing to do for a while: then something is repeated."""

    seconds: float
    sends: int
    """How many sends are repeated then; 0 for a look-up."""
    why: str
    """What the API said, or that it did not answer."""
    left: float
    """Seconds for which it is tried on at most, this pause among them."""


Step: TypeAlias = HttpCall | Pause
Event: TypeAlias = HttpReply | Lost | None
"""Of a call its reply or its loss, of a pause nothing."""
Exchange: TypeAlias = Generator[Step, Event, Returned]


@dataclass(frozen=True, slots=True)
class Answer(Generic[Answered_co]):
    """What the API said."""

    result: Result
    content: Answered_co | None
    """None where there is nothing but the result, which is not S then."""
    retry_after: float | None = None
    """Seconds after which the API asks to be called again."""

    @property
    def may_be_repeated(self) -> bool:
        """Whether asking again may give another answer: U (R52), or too many calls for now (R36)."""
        return self.result.status is ResultStatus.U or is_too_fast(self.result)


class _Answer(Model):
    result: Result


def unknown(why: str) -> Result:
    """Return the result of a call that nobody knows of."""
    return Result(code=UNKNOWN.code, status=UNKNOWN.status, message=f"{why}.")


def is_too_fast(result: Result) -> bool:
    """Whether a refusal is one of too many calls: nothing is wrong with what was sent (R36)."""
    return result.code == ResultCode.REQUEST_TRAFFIC_EXCEED_LIMIT


class Caller:
    """Makes signed calls and reads answers."""

    def __init__(self, access: Access, clock: Clock) -> None:
        """Keep who calls whom, and the clock of Request-Time."""
        self._access = access
        self._clock = clock

    def call(self, path: str, content: Content, timeout: float, model: type[Answered]) -> Exchange[Answer[Answered]]:
        """Ask once; the path has its query.

        Raises RefusedError for what is not the API, UntrustedAnswerError for what it did not sign.
        """
        headers = {"Content-Type": content.media_type} | self._signed(path, content.body)
        if content.encoding:
            headers["Content-Encoding"] = content.encoding
        event = yield HttpCall(self._access.url + path, headers, content.body, timeout)
        if not isinstance(event, HttpReply):
            return Answer(unknown(f"The API did not answer ({event.why if event else 'nobody called it'})"), None)
        return self._read(path, event, model)

    def _signed(self, path: str, body: bytes) -> dict[str, str]:
        access = self._access
        headers = {"Client-Id": access.client_id}
        if access.signer is not None:
            time = moment_text(self._clock.now())
            content = signed_content(access.path + path, access.client_id, time, body)
            headers |= {"Request-Time": time, "Signature": access.signer.header(content)}
        return headers

    def _read(self, path: str, reply: HttpReply, model: type[Answered]) -> Answer[Answered]:
        wait = retry_after(reply.headers.get("retry-after"), self._clock.now())
        if reply.status in _UNANSWERED:
            return Answer(unknown(f"The API was not reached (HTTP {reply.status})"), None, wait)
        if reply.status != _OK:
            raise RefusedError(_refusal(reply))
        self._verify(path, reply)
        try:
            result = _Answer.model_validate_json(reply.body).result
        except ValidationError:
            return Answer(unknown("The answer can not be read"), None, wait)
        try:
            return Answer(result, model.model_validate_json(reply.body), wait)
        except ValidationError:
            readable = result.status is not ResultStatus.S
            return Answer(result if readable else unknown("The answer can not be read"), None, wait)

    def _verify(self, path: str, reply: HttpReply) -> None:
        """Raise UntrustedAnswerError unless the server signed the answer just now (R26)."""
        keys, access = self._access.server_keys, self._access
        if not keys:
            return
        time = reply.headers.get("response-time", "")
        claimed = read_signature(reply.headers.get("signature", ""))
        if claimed is None or reply.headers.get("client-id") != access.client_id:
            raise UntrustedAnswerError("the answer is not signed for this client; nothing it says is believed")
        pem = keys.get(max(keys) if claimed.key_version is None else claimed.key_version)
        digest = signed_digest(access.path + path, access.client_id, time, reply.body)
        if pem is None or not is_signed(str(pem), claimed.signature, digest):
            raise UntrustedAnswerError("the answer is not signed by a key of server_keys; nothing it says is believed")
        at = read_moment(time)
        if at is None or abs(self._clock.now() - at) > access.skew:
            raise UntrustedAnswerError("the answer was not signed just now: compare this machine's clock")


def _refusal(reply: HttpReply) -> Result:
    """Return what a reply says that is not one of the API's results; what it says is shown, not believed."""
    try:
        said = _Answer.model_validate_json(reply.body).result
    except ValidationError:
        text = "this is not the API, or a path that it has not; check the URL and its prefix"
        return Result(code=f"HTTP_{reply.status}", status=ResultStatus.F, message=text)
    return Result(code=said.code[:64], status=ResultStatus.F, message=said.message[:_LARGEST_SHOWN])
