"""What the texts of arguments mean: durations, moments, caps and gateways. Pure."""

import re
from urllib.parse import SplitResult, urlsplit

from worker.contract.errors import TidingsError
from worker.contract.messages import Channel
from worker.contract.moments import read_moment
from worker.contract.users import GatewayRoute, SendCap

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,13})(ms|s|m|h|d)")
_LONGEST = 36_500 * _UNITS["d"]
_CAP = re.compile(r"([0-9]{1,9})/(\S+)")
_GATEWAY = re.compile(r"(?:([A-Za-z0-9._-]{1,64})=)?([a-z]+://[^;\s]+)((?:;[^;\s]+)*)")
_RATE = re.compile(r"([0-9]{1,7})/s")
GATEWAY = "[NAME=]URL[;channels=PUSH,INBOX][;inquiry][;rate=N/s]"
"""How a gateway is written."""


class ArgumentError(TidingsError):
    """An argument can't be used; the text says what to give instead, and never what was given: it may be a secret."""


def duration(text: str) -> int:
    """Return the milliseconds of a duration such as `30s`, `15m`, `24h` or `7d`; raise ArgumentError."""
    read = _DURATION.fullmatch(text)
    milliseconds = int(read[1]) * _UNITS[read[2]] if read else 0
    if not 0 < milliseconds <= _LONGEST:
        raise ArgumentError("must be a duration such as 30s, 15m, 24h or 7d, and at most 100 years")
    return milliseconds


def overlap(text: str) -> int:
    """Return the milliseconds of a duration as `duration` does, or 0 for `0s`; raise ArgumentError."""
    return 0 if text == "0s" else duration(text)


def moment(text: str) -> int:
    """Return the ms since 1970 of an ISO 8601 time with offset, or of that number itself; raise ArgumentError."""
    at = read_moment(text)
    if at is None:
        raise ArgumentError("must be a time with offset such as 2031-05-01T12:00:00Z, or milliseconds since 1970")
    return at


def cap(text: str) -> SendCap:
    """Return the cap in `N/PERIOD`, such as `5/24h`; raise ArgumentError."""
    read = _CAP.fullmatch(text)
    if read is None or not int(read[1]):
        raise ArgumentError("must be a number of messages and a period such as 5/24h")
    return SendCap(int(read[1]), duration(read[2]))


def gateway(text: str, default_name: str) -> GatewayRoute:
    """Return the gateway in the form of `GATEWAY`, its options in any order; raise ArgumentError."""
    read = _GATEWAY.fullmatch(text)
    options = [option.partition("=") for option in read[3].split(";")[1:]] if read else []
    given = {name: value if equals else None for name, equals, value in options}
    if read is None or len(given) < len(options) or not given.keys() <= {"channels", "inquiry", "rate"}:
        raise ArgumentError(f"must be {GATEWAY}, such as gcash=https://wallet.example/api")
    if given.get("inquiry") is not None:
        raise ArgumentError("must have ;inquiry without a value")
    return GatewayRoute(
        read[1] or default_name,
        _base_url(read[2]),
        _channels(given["channels"]) if "channels" in given else frozenset(Channel),
        "inquiry" in given,
        _rate(given["rate"]) if "rate" in given else None,
    )


def _rate(text: str | None) -> int:
    read = _RATE.fullmatch(text or "")
    if read is None or not int(read[1]):
        raise ArgumentError("must have a rate in messages a second such as ;rate=100/s")
    return int(read[1])


def _base_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or not _has_valid_port(url):
        raise ArgumentError("must have a URL such as https://wallet.example:8443/api")
    if url.query or url.fragment or url.username is not None:
        raise ArgumentError("must have a URL without user, query and fragment: a path is appended to it")
    return text.rstrip("/")


def _has_valid_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def _channels(text: str | None) -> frozenset[Channel]:
    try:
        return frozenset(Channel(name) for name in (text or "").split(","))
    except ValueError:
        raise ArgumentError(f"must have channels among {', '.join(Channel)}") from None
