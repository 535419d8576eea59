"""Lints of one send or of a batch over HTTP: headers and bytes in, a JSON-ready answer out."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic_core import from_json

from api_adapter.batch_sending import MAX_BATCH_BODY, decompressed, read_batch
from api_adapter.inquiries import Json, result_json
from api_adapter.lint_answers import lint_json
from api_adapter.linter import Linter
from api_adapter.linting import Fate, SendLint
from api_adapter.reading import Unread
from api_adapter.taking import SendResult
from worker.contract.codes import SUCCESS, UNKNOWN, Result
from worker.contract.errors import ContractViolationError

_AT_A_TIME = 10
"""Items that are rendered without a turn for others."""


async def lint_request(linter: Linter, headers: Mapping[str, str], body: bytes) -> Json:
    """Return what is to be said of each send of a body, which is one send or a batch as of batchSend.

    Raises ContractViolationError and BodyTooLargeError for a body that is neither.
    """
    items = _items(decompressed(headers, body, MAX_BATCH_BODY))
    readable = {index: item for index, item in enumerate(items) if not isinstance(item, Result)}
    linted = await linter.lint(headers, list(readable.values()), places=list(readable))
    said = dict(zip(readable, linted, strict=True))
    lints = [
        SendLint(SendResult(item)) if isinstance(item, Result) else said[index] for index, item in enumerate(items)
    ]
    fates = Counter(lint.fate for lint in lints)
    return {
        "result": result_json(UNKNOWN if fates[Fate.UNKNOWN] else SUCCESS),
        "items": await _items_json(lints),
        "totals": {"sends": len(lints), **{fate.value: fates[fate] for fate in Fate}},
    }


async def _items_json(lints: Sequence[SendLint]) -> list[Json]:
    """Return the items, with turns for other callers between them: rendering many takes tens of milliseconds."""
    items = []
    for index, lint in enumerate(lints):
        items.append({"index": index, **lint_json(lint)})
        if index % _AT_A_TIME == _AT_A_TIME - 1:
            await asyncio.sleep(0)
    return items


def _items(body: bytes) -> Sequence[Unread | Result]:
    try:
        document = from_json(body)
    except ValueError:
        raise ContractViolationError(["$: the body is not valid JSON"]) from None
    return read_batch(body).items if isinstance(document, dict) and "sends" in document else [body]
