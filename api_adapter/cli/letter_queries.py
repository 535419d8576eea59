"""The query language of `tidings dlq`: `app:shop code:BUSY older:2h`; every term must hold. Pure."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

from api_adapter.cli.arguments import ArgumentError, duration
from worker.contract.dead_letters import DeadLetterQuery
from worker.contract.messages import Channel, DeadCause

Kind = TypeVar("Kind", bound=StrEnum)

HELP = (
    "A query is terms that must all hold: app:X, template:Y, request:ID, cause:TRIES, channel:PUSH, code:Z, gateway:G, "
    "older:2h, newer:1d. Channel, code and gateway are those of a channel that ended as F or U."
)


def parse(terms: Iterable[str], now: int) -> DeadLetterQuery:
    """Return the query that terms say, each argument one or several; `now` is the ledger's time in milliseconds.

    Raises ArgumentError saying which term is wrong and what it may be.
    """
    fields: dict[str, Any] = {}
    for term in " ".join(terms).split():
        key, colon, value = term.partition(":")
        if not colon or key not in _FIELDS:
            raise ArgumentError(f"QUERY: {_named(key)} is no key; write KEY:VALUE, the keys are {', '.join(_FIELDS)}")
        name, read = _FIELDS[key]
        if name in fields:
            raise ArgumentError(f"QUERY: {key} may be given once")
        if not value:
            raise ArgumentError(f"QUERY: {key}: needs a value")
        try:
            fields[name] = read(value, now)
        except ArgumentError as error:
            raise ArgumentError(f"QUERY: {key}: {error}") from None
    return DeadLetterQuery(**fields)


def _named(key: str) -> str:
    return key if key.isalpha() and len(key) < 20 else "a term"  # noqa: PLR2004 - a word, not a misplaced secret


def _itself(value: str, _now: int) -> str:
    return value


def _one_of(kind: type[Kind]) -> Callable[[str, int], Kind]:
    def read(value: str, _now: int) -> Kind:
        try:
            return kind(value.upper())
        except ValueError:
            raise ArgumentError(f"must be one of {', '.join(kind)}") from None

    return read


def _ago(value: str, now: int) -> int:
    return now - duration(value)


_FIELDS: dict[str, tuple[str, Callable[[str, int], object]]] = {
    "app": ("app_id", _itself),
    "template": ("template_code", _itself),
    "request": ("request_id", _itself),
    "cause": ("cause", _one_of(DeadCause)),
    "channel": ("channel", _one_of(Channel)),
    "code": ("code", _itself),
    "gateway": ("gateway", _itself),
    "older": ("died_until", _ago),
    "newer": ("died_from", _ago),
}
"""Key: the query's field, and how its value is read."""
