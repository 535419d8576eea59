"""A merchant's books as a file: a requestId a line, perhaps with what became of it; or JSON, such as results."""

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

import orjson

from worker.contract.errors import ContractViolationError, TidingsError
from worker.contract.parsing import parse
from worker.contract.requests import Expectation, Reconciliation

NEVER_SEEN: Final = "NEVER_SEEN"
LONGEST_LINE = 128 * 1024
"""Bytes, with the line's end."""


class BooksError(TidingsError):
    """A line can't be read; the text names it and the rule, never what is in it."""


class Entry(NamedTuple):
    """One line."""

    line: int
    app_id: str
    message: Expectation


def read_books(file: BinaryIO, app_id: str | None) -> Iterator[Entry]:
    """Yield each line that is not blank; raise BooksError.

    A line is `requestId`, `requestId,STATUS`, or a JSON object with `requestId`, perhaps `appId` and `status`: lines
    of a file of sends are such objects. In a row of `tidings send`'s results, a refused send was never taken, and any
    other should have been.
    """
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
        if len(line) > LONGEST_LINE:
            raise BooksError(f"line {number}: is longer than {LONGEST_LINE} bytes")
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if text and not (number == 1 and text.lower().startswith(b"requestid")):
            yield _entry(number, text, app_id)


def _entry(number: int, text: bytes, app_id: str | None) -> Entry:
    fields = _json(number, text) if text.startswith(b"{") else _plain(text)
    whose = fields.get("appId", app_id)
    if whose is None:
        raise BooksError(f"line {number}: has no appId; name it with --app-id")
    status = fields.get("status")
    if "resultStatus" in fields:
        status = NEVER_SEEN if fields["resultStatus"] == "F" else None
    message = {"requestId": fields.get("requestId"), "status": status}
    try:
        books = parse(Reconciliation, orjson.dumps({"appId": whose, "messages": [message]}))
    except ContractViolationError as violation:
        raise BooksError(f"line {number}: {str(violation).replace('$.messages[0]', '$')}") from None
    return Entry(number, books.appId, books.messages[0])


def _json(number: int, text: bytes) -> dict[str, object]:
    try:
        fields: dict[str, object] = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BooksError(f"line {number}: is not valid JSON") from None
    return fields


def _plain(text: bytes) -> dict[str, object]:
    request_id, _, status = text.decode(errors="replace").partition(",")
    return {"requestId": request_id.strip().strip('"'), "status": status.strip().strip('"') or None}
