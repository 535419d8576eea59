"""When a user's quiet hours are over. Pure, but for the time zones' rules, which the system or `tzdata` has."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.contract.quiet_hours import QuietHours

_MINUTE = timedelta(minutes=1)
_DAY = 24 * 60


def quiet_until(hours: QuietHours, time_zone: str, now: int) -> int | None:
    """Return the ms since 1970 at which quiet hours end, None outside of them.

    It is quiet while the clock on the user's wall says so: where clocks go forward over the end, quiet ends as they do;
    where they go back over it, it is quiet for a second time until the end comes again.
    """
    zone = _zone(time_zone)
    local = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    if not _is_quiet(hours, local):
        return None
    end = _next_end(hours, local)
    while not _is_quiet(hours, (end - _MINUTE).astimezone(zone)):
        end -= _MINUTE
    while _is_quiet(hours, end.astimezone(zone)):
        end += _MINUTE
    return int(end.timestamp() * 1000)


def _next_end(hours: QuietHours, local: datetime) -> datetime:
    """Return about when quiet hours end, in UTC: off by an hour at most, where clocks change meanwhile."""
    passed = local.hour * 60 + local.minute
    left = timedelta(minutes=(hours.end - passed) % _DAY or _DAY)
    return local.replace(second=0, microsecond=0).astimezone(UTC) + left


def _is_quiet(hours: QuietHours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    if hours.start < hours.end:
        return hours.start <= minute < hours.end
    return minute >= hours.start or minute < hours.end


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
