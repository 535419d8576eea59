"""How long a Retry-After header asks to wait (RFC 9110, 10.2.3). Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def wait_asked(retry_after: str | None, now: int) -> int | None:
    """Return the milliseconds, of seconds or a date; None where nothing readable was asked, 0 for what is over.

    `now` is in milliseconds since 1970.
    """
    if retry_after is None:
        return None
    try:
        wait = int(float(retry_after) * 1000)
    except (ValueError, OverflowError):
        until = _date(retry_after)
        if until is None:
            return None
        wait = int((until - datetime.fromtimestamp(now / 1000, UTC)).total_seconds() * 1000)
    return max(wait, 0)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
