"""Where a process may be killed. Apart from the saboteur, which no other process may import: it fits itself at once."""

from enum import StrEnum


class Moment(StrEnum):
    """Where a process may be killed."""

    BEFORE_CLAIM = "before-claim"
    AFTER_CLAIM = "after-claim"
    """The ledger has leased the messages, and this process has heard of it."""
    MID_SEND = "mid-send"
    """The call is under way; it may have been acted upon."""
    BEFORE_SETTLE = "before-settle"
    """The answers are in hand and recorded nowhere."""
