"""Whether a request comes from the client that it names: its signature, its time, its address (CONTRACT R20-R24).

Framework-free: the raw path, headers and body in, a refusal or nothing out. A refusal says no more than a caller can
see for itself; what was wrong with a signature is not among that.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

from typing_extensions import override

from api_adapter.clients import Caller, Clients
from worker.contract.clients import ClientKey
from worker.contract.codes import Result, ResultCode
from worker.contract.moments import read_moment
from worker.contract.reprs import repr_without
from worker.ports import Clock
from worker.signatures import is_signed, read_signature, signed_digest

REQUEST_TIME = "request-time"
SIGNATURE = "signature"

_NO_TIME = Result.refused(ResultCode.INVALID_SIGNATURE, "header Request-Time: is required")
_NO_SIGNATURE = Result.refused(ResultCode.INVALID_SIGNATURE, "header Signature: is required")
_INVALID = Result.refused(ResultCode.INVALID_SIGNATURE, "header Signature: is not valid")
_ELSEWHERE = Result.refused(ResultCode.ACCESS_DENIED, "this client may not call from this address")

_HASHED_AT_ONCE = 1 << 18
"""Bytes of a body that are hashed on the event loop, in a tenth of a millisecond; for a larger one it is a thread."""


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

    @override
    def __repr__(self) -> str:
        return repr_without(self, "body")


class Check(Protocol):
    """Refuses what its caller does not prove to have sent."""

    async def refusal(self, caller: Caller, call: SignedCall, /) -> Result | None:
        """Return the refusal of a request, or None."""
        ...

    def before_body(self, caller: Caller, call: SignedCall, /) -> Result | None:
        """Return the refusal of what can't become a request that is let in, whatever its body; `call` has none yet."""
        ...


class _Believing:
    """Implements `Check`: callers are who they say."""

    async def refusal(self, _caller: Caller, _call: SignedCall, /) -> None:
        """Refuse nothing."""

    def before_body(self, caller: Caller, call: SignedCall, /) -> Result | None:
        """Refuse who calls from elsewhere."""
        return _ELSEWHERE if _is_elsewhere(caller, call) else None


believe: Final[Check] = _Believing()


class SignatureCheck:
    """Implements `Check`: refuses what its caller did not sign just now."""

    def __init__(self, clock: Clock, skew: int) -> None:
        """Keep the clock; `skew` is the milliseconds that Request-Time may be from it."""
        self._clock = clock
        self._skew = skew

    async def refusal(self, caller: Caller, call: SignedCall, /) -> Result | None:
        """Return the refusal of a request, or None."""
        proof = _proof(call)
        if isinstance(proof, Result):
            return proof
        (time, header), now = proof, self._clock.now()
        if not await _signed_by(caller, call, time, header, now):
            return _INVALID
        # After the signature: what is wrong with the time is told to the key's owner alone.
        return self._untimely(time, now)

    def before_body(self, caller: Caller, call: SignedCall, /) -> Result | None:
        """Refuse what no body can make right; nobody has proved to have the key, so why is not told."""
        proof = _proof(call)
        if isinstance(proof, Result):
            return proof
        (time, header), now = proof, self._clock.now()
        hopeless = _claimed(caller, header, now) is None or self._untimely(time, now) or _is_elsewhere(caller, call)
        return _INVALID if hopeless else None

    def _untimely(self, time: str, now: int) -> Result | None:
        at = read_moment(time)
        if at is None:
            rule = "must be ISO 8601 with offset, or milliseconds since 1970"
        elif abs(now - at) > self._skew:
            rule = f"is more than {self._skew / 1000:g} s from the server's time"
        else:
            return None
        return Result.refused(ResultCode.INVALID_SIGNATURE, f"header Request-Time: {rule}")


def _proof(call: SignedCall) -> tuple[str, str] | Result:
    """Return when and how the call says that it was signed, or the refusal of one that does not."""
    time, header = call.headers.get(REQUEST_TIME), call.headers.get(SIGNATURE)
    if not time:
        return _NO_TIME
    return (time, header) if header else _NO_SIGNATURE


def _claimed(caller: Caller, header: str, now: int) -> tuple[ClientKey, bytes] | None:
    """Return the key that a Signature header names, if the caller has it, and the signature."""
    claimed = read_signature(header)
    if claimed is None or caller.registered is None:
        return None
    key = caller.registered.key(claimed.key_version, now)
    return None if key is None else (key, claimed.signature)


async def _signed_by(caller: Caller, call: SignedCall, time: str, header: str, now: int) -> bool:
    claimed = _claimed(caller, header, now)
    if claimed is None:
        return False
    key, signature = claimed
    digested = partial(signed_digest, call.path, caller.client_id, time, call.body, call.method)
    digest = digested() if len(call.body) <= _HASHED_AT_ONCE else await asyncio.to_thread(digested)
    return is_signed(key.pem, signature, digest)


def _is_elsewhere(caller: Caller, call: SignedCall) -> bool:
    return caller.registered is not None and not caller.registered.may_call_from(call.address)


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
        refused = await self._check.refusal(caller, call)
        return _ELSEWHERE if refused is None and _is_elsewhere(caller, call) else refused

    async def refusal_before_body(self, call: SignedCall) -> Result | None:
        """Return the refusal of a request that its body could not save, or None; raises LedgerUnavailableError."""
        caller = await self._clients.identify(call.headers)
        return caller if isinstance(caller, Result) else self._check.before_body(caller, call)
