"""What sweepers do for what waits in Redis."""

from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.schedule import RedisSchedule
from worker.contract.messages import Hint


class RedisUpkeep:
    """Implements `origin_ports.Upkeep`."""

    def __init__(self, pauses: RedisPauses, batches: RedisBatches, schedule: RedisSchedule) -> None:
        """Keep who does each part of it."""
        self._pauses = pauses
        self._batches = batches
        self._schedule = schedule

    async def look_after(self) -> list[Hint]:
        """Wake what has reached its time, and end what waits in vain; return hints of what is due by that."""
        await self._batches.withdraw_forgotten()
        await self._schedule.wake()
        return await self._pauses.expire()
