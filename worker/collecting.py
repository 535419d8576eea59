"""How often Python looks for garbage in cycles while messages are taken or delivered.

Those in hand are thousands of objects that are all alive, and few are part of a cycle: counting references frees them.
By default Python looks through them every 700 new objects, and now and then through everything that was ever imported,
which took a fifth of the time of accepting and a quarter of that of delivering.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG_OBJECTS = 50_000
"""New objects between two looks: some ten megabytes."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look seldom, and never at what was there before the block."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
