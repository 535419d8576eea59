"""What an answer's headers say of the rate limits that its sends came under (CONTRACT R36).

`RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers since its eighth edition; most
libraries still read the three fields of its first six, so they are sent too.
"""

from collections.abc import Iterable, Sequence
from math import ceil

from api_adapter.inquiries import Json
from api_adapter.limiting import Allowance
from api_adapter.taking import SendResult
from worker.contract.codes import ResultCode
from worker.contract.rates import RateLimit

_COUNT: Json = {"type": "integer", "minimum": 0}
_TEXT: Json = {"type": "string"}
RATE_HEADERS: Json = {
    "Retry-After": {
        "description": "seconds until what a rate limit refused may be sent again; on such a refusal alone",
        "schema": _COUNT,
    },
    "RateLimit-Policy": {
        "description": 'the rate limits of this caller, such as `"client";q=100;w=1`: 100 sends in a second; '
        "absent, like all RateLimit headers, where it has none",
        "schema": _TEXT,
    },
    "RateLimit": {
        "description": 'what is left of each, such as `"client";r=42;t=1`: 42 sends now, all of them in a second',
        "schema": _TEXT,
    },
    "RateLimit-Limit": {"description": "sends a second of the limit of which least is left", "schema": _COUNT},
    "RateLimit-Remaining": {"description": "how many sends of it are left now", "schema": _COUNT},
    "RateLimit-Reset": {"description": "seconds until more are", "schema": _COUNT},
}
"""The OpenAPI document's words for them."""


def rate_headers(answers: Iterable[SendResult]) -> dict[str, str]:
    """Return the headers of an answer to one send or many; none where no rate limit was asked."""
    newest: dict[RateLimit, Allowance] = {}
    wait = 0
    for answer in answers:
        for allowance in answer.allowances:
            newest[allowance.limit] = allowance
        if answer.result.code is ResultCode.REQUEST_TRAFFIC_EXCEED_LIMIT:
            wait = max(wait, *(allowance.wait for allowance in answer.allowances))
    if not newest:
        return {}
    headers = _limits(list(newest.values()))
    return {"Retry-After": str(_seconds(wait)), **headers} if wait else headers


def _limits(allowances: Sequence[Allowance]) -> dict[str, str]:
    tightest = min(allowances, key=lambda allowance: (allowance.left, -allowance.wait))
    return {
        "RateLimit-Policy": ", ".join(f'"{one.limit.by}";q={one.limit.rate};w=1' for one in allowances),
        "RateLimit": ", ".join(f'"{one.limit.by}";r={one.left};t={_reset(one)}' for one in allowances),
        "RateLimit-Limit": str(tightest.limit.rate),
        "RateLimit-Remaining": str(tightest.left),
        "RateLimit-Reset": str(_reset(tightest)),
    }


def _reset(allowance: Allowance) -> int:
    """Return the seconds until there is more: a limit that nothing is sent under is whole again after one."""
    return max(1, _seconds(allowance.wait))


def _seconds(milliseconds: int) -> int:
    return ceil(milliseconds / 1000)
