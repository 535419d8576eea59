"""The catalogue: every fault that a drill can play, in the order in which `all` plays them."""

from api_adapter.drill.fault import Fault
from api_adapter.drill.faults import workers

CATALOGUE: tuple[Fault, ...] = (*workers.FAULTS,)
"""Names are different."""
