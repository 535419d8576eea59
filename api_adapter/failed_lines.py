"""A refused line of JSON as it is given back: all that the merchant wrote, and why, to be corrected and sent again."""

import json
from typing import Any, NamedTuple, NoReturn

from worker.contract.send_fields import LARGEST_SEND

REFUSAL = "refusal"
"""Field of a failed line with why it failed; the API ignores it (R13), so a corrected line may be sent as it is."""


class Refusal(NamedTuple):
    """Why a line failed."""

    line: int
    """Its number in the merchant's file, from 1."""
    code: str
    message: str


def failed_line(body: bytes, refusal: Refusal) -> bytes:
    """Return all of a line, its token too, and why it failed; without why, where it is too large for a send with it.

    A line that is no JSON is there as `text`, for a person to correct; of one that was cut off there is the reason.
    """
    written = _written(body)
    reason = {"line": refusal.line, "resultCode": refusal.code, "resultMessage": refusal.message}
    line = _dumped({**written, REFUSAL: reason})
    return line if len(line) <= LARGEST_SEND or not written else _dumped(written)


def _dumped(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def _written(body: bytes) -> dict[str, Any]:
    if len(body) > LARGEST_SEND:
        return {}
    try:
        # Not by orjson, which rounds numbers beyond 64 bits.
        fields = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {"text": body.decode(errors="backslashreplace")}


def _refuse(_: str) -> NoReturn:
    raise ValueError
