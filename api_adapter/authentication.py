"""Whether a request comes from the client that it names: its signature, its time, its address (CONTRACT R20-R24).

Framework-free: the raw path, headers and body in, a refusal or nothing out. A refusal says no more than a caller can
see for itself; what was wrong with a signature is not among that.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from api_adapter.clients import Caller, Clients
from worker.contract.codes import Result, ResultCode
from worker.contract.moments import read_moment
from worker.ports import Clock
from worker.signatures import is_signed, read_signature, signed_content

REQUEST_TIME = "request-time"
SIGNATURE = "signature"

_NO_TIME = Result.refused(ResultCode.INVALID_SIGNATURE, "header Request-Time: is required")
_NO_SIGNATURE = Result.refused(ResultCode.INVALID_SIGNATURE, "header Signature: is required")
_INVALID = Result.refused(ResultCode.INVALID_SIGNATURE, "header Signature: is not valid")
_ELSEWHERE = Result.refused(ResultCode.ACCESS_DENIED, "this client may not call from this address")


class SignedCall(NamedTuple):
    """A request as it arrived."""

    path: str
    """As requested, with its query and any percent-encoding (R24)."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    address: str
    """IP address of whoever connected; empty: not known."""
    method: str = "POST"


Check: TypeAlias = Callable[[Caller, SignedCall], Result | None]


def believe(_caller: Caller, _call: SignedCall) -> None:
    """Refuse nothing: callers are who they say."""


class SignatureCheck:
    """Refuses what its caller did not sign just now."""

    def __init__(self, clock: Clock, skew: int) -> None:
        """Keep the clock; `skew` is the milliseconds that Request-Time may be from it."""
        self._clock = clock
        self._skew = skew

    def __call__(self, caller: Caller, call: SignedCall) -> Result | None:
        """Return the refusal of a request, or None."""
        time, header = call.headers.get(REQUEST_TIME), call.headers.get(SIGNATURE)
        if not time:
            return _NO_TIME
        if not header:
            return _NO_SIGNATURE
        now = self._clock.now()
        if not _signed_by(caller, call, time, header, now):
            return _INVALID
        # After the signature: what is wrong with the time is told to the key's owner alone.
        return self._untimely(time, now)

    def _untimely(self, time: str, now: int) -> Result | None:
        at = read_moment(time)
        if at is None:
            rule = "must be ISO 8601 with offset, or milliseconds since 1970"
        elif abs(now - at) > self._skew:
            rule = f"is more than {self._skew / 1000:g} s from the server's time"
        else:
            return None
        return Result.refused(ResultCode.INVALID_SIGNATURE, f"header Request-Time: {rule}")


def _signed_by(caller: Caller, call: SignedCall, time: str, header: str, now: int) -> bool:
    claimed = read_signature(header)
    if claimed is None or caller.registered is None:
        return False
    key = caller.registered.key(claimed.key_version, now)
    content = signed_content(call.path, caller.client_id, time, call.body, call.method)
    return key is not None and is_signed(key.pem, claimed.signature, content)


class Authentication:
    """Lets requests in, or says why not."""

    def __init__(self, clients: Clients, check: Check) -> None:
        """Keep who may call, and what proves who calls."""
        self._clients = clients
        self._check = check

    async def refusal(self, call: SignedCall) -> Result | None:
        """Return the refusal of a request, or None; raises LedgerUnavailableError."""
        caller = await self._clients.identify(call.headers)
        if isinstance(caller, Result):
            return caller
        refused = self._check(caller, call)
        if refused is None and caller.registered and not caller.registered.may_call_from(call.address):
            return _ELSEWHERE
        return refused
