"""What is wrong with how the server treated an input."""

from collections.abc import Iterator

import orjson

from tests.fuzz.exchanges import Answered, Exchange
from tests.fuzz.inputs import Input

SERVER_ERROR = 500
_OF_HTTP = frozenset({400, 414, 431})
_BUSY = "too many parts come at once; upload it again"
"""A U that says what it is: the inputs come at once, and one client has few places for parts."""


def faults(given: Input, became: Exchange) -> Iterator[str]:
    """Yield every fault, by its kind: 5xx, hang, U, silence, no HTTP, no result."""
    if became.hung:
        yield "hang"
    elif became.unreadable:
        yield f"no HTTP: {became.unreadable}"
    elif given.answers and not became.answers:
        yield "silence: closed without an answer"
    for answer in became.answers:
        if answer.status >= SERVER_ERROR:
            yield f"5xx: {answer.status}"
        elif given.has_results:
            yield from _result_faults(answer)


def _result_faults(answer: Answered) -> Iterator[str]:
    if answer.status in _OF_HTTP:  # it never reached the application: HTTP itself is broken
        return
    try:
        result = orjson.loads(answer.body)["result"]
        status = result["resultStatus"]
    except (ValueError, KeyError, TypeError):
        yield f"no result: HTTP {answer.status}, {answer.content_type}, {answer.body[:100]!r}"
        return
    if status not in {"S", "F"} and result.get("resultMessage") != _BUSY:
        yield f"U: {result}"
