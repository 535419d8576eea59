"""Moments as texts: ISO 8601 with offset, or milliseconds since 1970 (CONTRACT R21)."""

from datetime import UTC, datetime, timedelta

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
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
