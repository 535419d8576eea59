"""What the stack of a fault is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LEDGER, BROKER, NOWHERE = 0, 1, 2
"""Databases of the drill's Redis; nobody consumes the last one."""

WORKER = "worker"
"""The module of a worker that does what it is told."""
SABOTAGED = "api_adapter.drill.sabotage"
DEAF = "api_adapter.drill.deafness"


class Fsync(StrEnum):
    """When Redis makes sure that what it wrote is on the disk; the texts are its own."""

    ALWAYS = "always"
    EVERYSEC = "everysec"


@dataclass(frozen=True, slots=True)
class Crew:
    """One worker."""

    module: str = WORKER
    sabotage: Mapping[str, str] = field(default_factory=dict)
    """Variables of its environment, without TIDINGS_SABOTAGE_."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the parts of a stack are set up."""

    crews: tuple[Crew, ...] = (Crew(), Crew())
    fsync: Fsync = Fsync.ALWAYS
    store_line: bool = False
    """Everybody reaches Redis, ledger and broker, over a line."""
    wallets_over_line: frozenset[str] = frozenset()
    """Wallets whose gateway the workers reach over a line."""
    hints_to: int = BROKER
    """Database that intake publishes its hints to; the workers consume BROKER."""
