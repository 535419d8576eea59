"""Moments as texts: ISO 8601 with offset, or milliseconds since 1970 (CONTRACT R21)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime.fromtimestamp(0, UTC)
_LONGEST = 64


def read_moment(text: str) -> int | None:
    """Return the milliseconds since 1970 of an ISO 8601 time with offset, or of that number itself; None for others."""
    if len(text) > _LONGEST:
        return None
    try:
        at = _EPOCH + timedelta(milliseconds=int(text)) if text.isdecimal() else datetime.fromisoformat(text)
        return None if at.tzinfo is None else (at - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None


def moment_text(milliseconds: int) -> str:
    """Return the ISO 8601 time in UTC, with milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second_text(seconds)}.{rest:03}Z"


@lru_cache(4096)
def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
