"""Places for what is large: each holds a part of a batch in memory while it comes and is taken."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 8
"""Parts in memory at once."""
AT_ONCE_PER_CLIENT = 4
"""Of these, most of one client: whoever calls under its name takes no other's place."""


class Places:
    """The places of one process."""

    def __init__(self) -> None:
        """Begin with none taken."""
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, client_id: str) -> Iterator[bool]:
        """Say whether a client has one more place; it has it until the block ends."""
        if self._taken.total() >= AT_ONCE or self._taken[client_id] >= AT_ONCE_PER_CLIENT:
            yield False
            return
        self._taken[client_id] += 1
        try:
            yield True
        finally:
            # Keeps no client that has none.
            self._taken -= Counter((client_id,))
