"""The bodies of requests: read within a size, and within a time that grows with what came."""

import asyncio
import re
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request

from api_adapter.http.endpoint import Reply, too_large, too_slow

_KIB, _MIB = 1 << 10, 1 << 20
_LENGTH = re.compile(r"[0-9]{1,18}")


class Pace(NamedTuple):
    """How fast a body has to come."""

    first: int
    """Milliseconds that it has."""
    more: int
    """Milliseconds that it has beside them for each step that came."""
    step: int = _MIB
    """Bytes."""

    def time_of(self, size: int) -> float:
        """Return the seconds that a body has of which so many bytes came."""
        return (self.first + self.more * (size // self.step)) / 1000


def usual_pace(timeout: int) -> Pace:
    """Return the pace of a body that has `timeout` milliseconds, and as long again for each MiB."""
    return Pace(timeout, timeout)


def steady_pace(timeout: int) -> Pace:
    """Return the same pace for a body that holds a place while it comes: none that stands still keeps it for long."""
    return Pace(3 * timeout // 10, timeout // 16, _MIB // 16)


async def timely_body(request: Request, most: int, pace: Pace) -> bytes | Reply:
    """Return the body, or the answer to one that is too large or too slow."""
    try:
        body = await _body(request, most, pace)
    except TimeoutError:
        return too_slow(
            f"the body is too slow: it may take {pace.first} ms, and {pace.more} ms more for each "
            f"{pace.step // _KIB} KiB that came"
        )
    return too_large(f"the body is larger than {most} bytes") if body is None else body


async def _body(request: Request, most: int, pace: Pace) -> bytes | None:
    """Return the body, or None as soon as it is known to be larger than `most` bytes; raises TimeoutError."""
    declared = request.headers.get("content-length", "")
    # Only ever a shortcut: what is no plain number is ignored, as the bytes are counted anyway.
    if _LENGTH.fullmatch(declared) and int(declared) > most:
        return None
    parts, size = [], 0
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(begun + pace.time_of(0)) as limit:
            async for part in request.stream():
                if size // pace.step < (size + len(part)) // pace.step:
                    limit.reschedule(begun + pace.time_of(size + len(part)))
                size += len(part)
                if size > most:
                    return None
                parts.append(part)
    except ClientDisconnect:
        return b""
    return b"".join(parts)
