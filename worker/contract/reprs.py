"""What values say of themselves: nothing of users' texts and ids, or of tokens, wherever their repr ends up.

Logs, error reports and debuggers show the reprs of what a program had in hand. Models have
`Field(repr=False)` for it, dataclasses without an `__init__` of their own `field(repr=False)`.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def repr_without(value: "NamedTuple | DataclassInstance", *hidden: str) -> str:
    """Return a named tuple's or a dataclass' usual repr, but for some fields."""
    names = value._fields if isinstance(value, tuple) else [field.name for field in fields(value)]
    told = (f"{name}={getattr(value, name)!r}" for name in names if name not in hidden)
    return f"{type(value).__name__}({', '.join(told)})"
