"""The scripts that users and drills write, parsed and decided without any state (table in the package docstring)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import takewhile

from worker.contract.errors import TidingsError

PREFIX = "sim-"
"""How the customerId of a scripted user begins."""

_ACT = "act"
_MAX_DIGITS = 9
_PERCENT = 100


class Kind(StrEnum):
    """What a gateway can do with a message; the texts are the words of the script."""

    DELIVER = "deliver"
    FAIL = "fail"
    RETRY = "retry"
    FLAKY = "flaky"
    MISSING = "missing"
    SLOW = "slow"
    UNKNOWN = "unknown"
    REJECT = "reject"
    HANG = "hang"
    GARBAGE = "garbage"
    RESET = "reset"
    TOO_MANY = "429"
    UNAVAILABLE = "503"
    BROKEN = "500"
    MISTYPED = "mistyped"
    """A user's script that can't be read; nobody can ask for it."""


SCRIPTABLE = {str(kind): kind for kind in Kind if kind is not Kind.MISTYPED}
CALL_WIDE = frozenset(
    {
        Kind.UNKNOWN,
        Kind.REJECT,
        Kind.HANG,
        Kind.GARBAGE,
        Kind.RESET,
        Kind.TOO_MANY,
        Kind.UNAVAILABLE,
        Kind.BROKEN,
    },
)
"""Kinds that hold for every message of the call."""

MAY_ACT = frozenset({Kind.MISSING, Kind.UNKNOWN, Kind.HANG, Kind.GARBAGE, Kind.RESET, Kind.BROKEN})
"""Kinds after which the caller can't know whether the message was delivered: `act-` may stand before them."""

DEFAULT_VALUES = {Kind.FLAKY: 50, Kind.SLOW: 1000, Kind.TOO_MANY: 1, Kind.UNAVAILABLE: 1}
"""Kinds that have a value (percent, milliseconds, seconds, seconds), and what it is when none is written."""


class BehaviourError(TidingsError):
    """A script can't be read; the text lists the behaviours there are."""

    def __init__(self) -> None:
        """Say what is possible; the faulty script itself is not repeated."""
        super().__init__(
            "unknown behaviour; write [act-]<behaviour>[-<value>][-<N>] with one of "
            f"{', '.join(SCRIPTABLE)}; act- goes with {', '.join(sorted(MAY_ACT))}; flaky is at most 100 percent",
        )


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One script."""

    kind: Kind
    value: int = 0
    """Percent, milliseconds or seconds, by kind; 0 where the kind has none."""
    times: int | None = None
    """Turns of each messageId that it is played; None: for ever."""
    acts: bool = False
    """Whether the message is shown before the caller is left without a good answer."""

    @property
    def name(self) -> str:
        """The behaviour without its numbers, for counting."""
        return f"{_ACT}-{self.kind}" if self.acts else self.kind

    @property
    def script(self) -> str:
        """The text that `parse_script` reads as this behaviour."""
        value = f"-{self.value}" if self.kind in DEFAULT_VALUES else ""
        times = "" if self.times is None else f"-{self.times}"
        return f"{self.name}{value}{times}"

    @property
    def is_call_wide(self) -> bool:
        """Whether it holds for all messages of a call."""
        return self.kind in CALL_WIDE

    @property
    def delivers(self) -> bool:
        """Whether the user sees the message."""
        return self.acts or self.kind is Kind.DELIVER or self.kind is Kind.SLOW

    def at_turn(self, turn: int, message_id: str) -> "Behaviour":
        """Return what happens at a message's turn (1 is the first): this, or plain delivery once it is over."""
        if self.times is not None and turn > self.times:
            return DELIVER
        if self.kind is Kind.FLAKY and not _strikes(self.value, turn, message_id):
            return DELIVER
        return self


DELIVER = Behaviour(Kind.DELIVER)
MISTYPED = Behaviour(Kind.MISTYPED)


def behaviour_of(customer_id: str) -> Behaviour:
    """Return how the gateway treats a user: DELIVER for everybody whose id doesn't begin with `sim-`."""
    return _behaviour_of_scripted(customer_id) if customer_id.startswith(PREFIX) else DELIVER


def parse_script(text: str) -> Behaviour:
    """Return the behaviour that a script such as `act-hang-2` names, or raise BehaviourError."""
    behaviour, rest = _read(text.split("-"))
    if rest:
        raise BehaviourError
    return behaviour


def first_call_wide(behaviours: Iterable[Behaviour]) -> Behaviour | None:
    """Return what holds for a whole call: its first call-wide behaviour, or None."""
    return next((behaviour for behaviour in behaviours if behaviour.kind in CALL_WIDE), None)


@lru_cache(maxsize=4096)
def _behaviour_of_scripted(customer_id: str) -> Behaviour:
    try:
        return _read(customer_id.removeprefix(PREFIX).split("-"))[0]
    except BehaviourError:
        return MISTYPED


def _read(words: list[str]) -> tuple[Behaviour, list[str]]:
    """Return the behaviour that the words begin with, and the words after it."""
    acts = words[0] == _ACT
    name, rest = words[acts : acts + 1], words[acts + 1 :]
    kind = SCRIPTABLE.get("".join(name))
    if kind is None or (acts and kind not in MAY_ACT):
        raise BehaviourError
    value, rest = _number(rest) if kind in DEFAULT_VALUES else (None, rest)
    times, rest = _number(rest)
    return DELIVER if kind is Kind.DELIVER else Behaviour(kind, _value(kind, value), times, acts), rest


def _number(words: list[str]) -> tuple[int | None, list[str]]:
    """Return the whole number that the words begin with, if they do, and the other words."""
    found = list(takewhile(_is_number, words[:1]))
    return (int(found[0]), words[1:]) if found else (None, words)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS


def _value(kind: Kind, written: int | None) -> int:
    value = DEFAULT_VALUES.get(kind, 0) if written is None else written
    if kind is Kind.FLAKY and value > _PERCENT:
        raise BehaviourError
    return value


def _strikes(percent: int, turn: int, message_id: str) -> bool:
    digest = blake2b(f"{message_id}#{turn}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % _PERCENT < percent
