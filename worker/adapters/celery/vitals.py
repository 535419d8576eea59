"""What a worker's processes know of each other: the parent says "stop", each child's loop shows that it lives.

Memory that is shared by fork: no broker, no pipe and no lock is in the way when one of the two is stuck.
"""

import mmap
import os
import struct
from dataclasses import dataclass

_STOPPING = struct.Struct("=Q")
_PULSE = struct.Struct("=QQ")
"""Process id and number of beats."""
_CHILDREN = 1_024


@dataclass(frozen=True, slots=True)
class Pulse:
    """One process' view of the shared memory."""

    memory: mmap.mmap
    offset: int
    """Where this process writes its beats; 0 for one that has no place there."""

    def beat(self, number: int) -> None:
        """Show that the loop runs; `number` differs from the one before."""
        if self.offset:
            _PULSE.pack_into(self.memory, self.offset, os.getpid(), number)

    @property
    def stopping(self) -> bool:
        """Whether the worker was told to stop."""
        return bool(_STOPPING.unpack_from(self.memory)[0])


class Vitals:
    """The shared memory, made before the children are forked. A child that is not forked sees none of it."""

    def __init__(self) -> None:
        """Reserve some 16 KiB."""
        self._memory = mmap.mmap(-1, _PULSE.size * (_CHILDREN + 1))

    def pulse(self, child: int) -> Pulse:
        """Return the place of a child, named by its number in the pool."""
        return Pulse(self._memory, _PULSE.size * (child + 1) if 0 <= child < _CHILDREN else 0)

    def stop(self) -> None:
        """Tell every loop to give back what was not sent, and to finish."""
        _STOPPING.pack_into(self._memory, 0, 1)

    def beats(self, child: int, pid: int) -> int | None:
        """Return how often a child's loop has beaten; None where that process never did."""
        offset = self.pulse(child).offset
        if not offset:
            return None
        of, number = _PULSE.unpack_from(self._memory, offset)
        return int(number) if of == pid else None
