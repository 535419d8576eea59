"""What values say of themselves: nothing of users' texts and ids, or of tokens, wherever their repr ends up.

Logs, error reports and debuggers show the reprs of what a program had in hand. Dataclasses and models have
`Field(repr=False)` for it.
"""

from typing import NamedTuple


def repr_without(value: NamedTuple, *hidden: str) -> str:
    """Return a named tuple's usual repr, but for some fields."""
    told = (f"{name}={field!r}" for name, field in zip(value._fields, value, strict=True) if name not in hidden)
    return f"{type(value).__name__}({', '.join(told)})"
