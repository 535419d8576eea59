"""What an examination of a part found, and what to do about it."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and promises less than it could."""
    ERROR = "error"
    """It does not work, or messages may vanish while it does."""


class Finding(NamedTuple):
    """One thing that was found. No text holds a secret."""

    severity: Severity
    what: str
    advice: str = ""
    """What to do; empty where nothing is wrong."""
