"""The catalogue: every fault that a drill can play, in the order in which `all` plays them."""

from api_adapter.drill.fault import Fault
from api_adapter.drill.faults import crowds, gateways, intake, redis, workers

CATALOGUE: tuple[Fault, ...] = (
    *workers.FAULTS,
    *redis.FAULTS,
    *gateways.FAULTS,
    *intake.FAULTS,
    *crowds.FAULTS,
)
