"""How callbacks are written in the indexes of Redis, and where what they tell is kept."""

from worker.adapters.redis.job_keys import passed_key
from worker.adapters.redis.keys import JOBS, Keys, Slot
from worker.contract.callbacks import CallbackKey, OutcomeKey, ProgressKey


def slot_of(keys: Keys, key: CallbackKey) -> Slot:
    """Return what holds a callback: the shard of its message, or the batch jobs."""
    return keys.shard(key.message_id) if isinstance(key, OutcomeKey) else JOBS


def record_of(keys: Keys, key: CallbackKey) -> str:
    """Return the key of the hash that says what is told, and what became of telling it."""
    if isinstance(key, OutcomeKey):
        return keys.message(keys.shard(key.message_id), key.message_id)
    return passed_key(key)


def member_of(key: CallbackKey) -> str:
    """Return a callback as the queue of its merchant holds it."""
    number = key.finality if isinstance(key, OutcomeKey) else key.percentage
    return f"{key.subject}#{number}"


def entry_of(key: CallbackKey) -> str:
    """Return a callback as an index of all merchants holds it."""
    return f"{key.app_id}#{member_of(key)}"


def key_of(slot: Slot, app_id: str, member: str) -> CallbackKey:
    """Return the name of a callback that `member_of` wrote."""
    subject, _, number = member.partition("#")
    return ProgressKey(app_id, subject, int(number)) if slot == JOBS else OutcomeKey(app_id, subject, int(number))


def key_in(slot: Slot, entry: str) -> CallbackKey:
    """Return the name of a callback that `entry_of` wrote."""
    app_id, _, member = entry.partition("#")
    return key_of(slot, app_id, member)
