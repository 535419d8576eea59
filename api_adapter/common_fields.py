"""Sends that have fields in common: what stands once beside them is put into each."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic_core import from_json, to_json

from api_adapter.reading import MAX_BODY, TOO_LARGE
from worker.contract.codes import Result, ResultCode
from worker.contract.requests import SendDefaults

Item: TypeAlias = dict[str, Any] | Result
"""The fields of one send, with those that all have in common; or why it is none."""

_NOT_AN_OBJECT = Result.refused(ResultCode.PARAM_ILLEGAL, "$: must be an object")
_NOT_JSON = Result.refused(ResultCode.PARAM_ILLEGAL, "$: the body is not valid JSON")
_TOO_LARGE = Result.refused(ResultCode.PARAM_ILLEGAL, TOO_LARGE)


class CommonFields:
    """What the sends of a batch have in common."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take them from where they stand."""
        self._fields = {name: document[name] for name in SendDefaults.model_fields if document.get(name) is not None}
        self.size = len(to_json(self._fields))
        """Bytes that they add to each send, at most."""

    def put_into(self, send: object) -> Item:
        """Return a send with them; its own fields win, each whole."""
        return self._fields | send if isinstance(send, dict) else _NOT_AN_OBJECT

    def put_into_line(self, line: bytes) -> Item:
        """Return the send in a line of JSON with them, or why it is none."""
        if len(line) > MAX_BODY:
            return _TOO_LARGE
        try:
            item = self.put_into(from_json(line))
        except ValueError:
            return _NOT_JSON
        return item if len(line) + self.size <= MAX_BODY else bounded(item)


def bounded(item: Item) -> Item:
    """Return an item, or that it is larger than a send may be (R15)."""
    return item if isinstance(item, Result) or len(to_json(item)) <= MAX_BODY else _TOO_LARGE
