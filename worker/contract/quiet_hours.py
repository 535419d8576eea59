"""The hours of a day in which a user wants no message, and the time zone they are meant in."""

import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

from typing_extensions import override

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


class QuietHours(NamedTuple):
    """From a minute of the day, included, to another, excluded; over midnight where the end is the smaller one."""

    start: int
    """Minutes since midnight of the user's time zone, 0 to 1439."""
    end: int
    """As start, and never the same: that would be nothing or the whole day."""

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Return the hours of a text such as `22:00-07:00`; raise ValueError, which never quotes it."""
        found = _HOURS.fullmatch(text)
        if found is None:
            raise ValueError("must be hours such as 22:00-07:00")
        hour, minute, end_hour, end_minute = map(int, found.groups())
        hours = cls(hour * 60 + minute, end_hour * 60 + end_minute)
        if hours.start == hours.end:
            raise ValueError("must end at another time than they begin")
        return hours

    @override
    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in self)


def known_time_zone(name: str) -> str:
    """Return the name of a time zone of the IANA database; raise ValueError, which never quotes it, for another."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # no such zone; a directory of zones, such as `Asia`
        raise ValueError("must be a time zone such as Asia/Manila") from None
    return name
