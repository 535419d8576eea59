import gc
from collections.abc import Iterator

import pytest

from worker.collecting import rare_collections


@pytest.fixture(autouse=True)
def _usual_thresholds() -> Iterator[None]:
    """Whatever a test before this one left behind: loops that ran side by side end in any order."""
    found = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*found)


def test_python_looks_for_cycles_seldom_within_and_as_before_afterwards() -> None:
    before = gc.get_threshold()

    with rare_collections():
        within = gc.get_threshold()
        set_apart = gc.get_freeze_count()

    assert within[0] > 10 * before[0]
    assert set_apart > 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
