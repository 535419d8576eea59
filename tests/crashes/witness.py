"""Sees each script that a process has Redis run and each call that it sends, and notes what no process may do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from redis import Redis as Server

from tests.crashes.wire import SCRIPT_WORDS, Command, VirtualTimeServer
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import raw
from worker.adapters.redis.scripts import Script
from worker.contract.answers import WalletMessage
from worker.contract.messages import HintKind
from worker.holding import Held
from worker.ports import Clock

_CLAIM = Script.read("claim_messages").digest
_UNDER_A_CLAIM = frozenset({Script.read("settle_messages").digest, Script.read("renew_leases").digest})
Record = Mapping[bytes, bytes]


class Holder(Protocol):
    """A process that claims."""

    name: str
    claim_ids: set[str]

    @property
    def in_hand(self) -> Sequence[Held]:
        """What it holds."""
        ...


class Witness:
    """Holds processes to their claims. What it notes in `faults` is a bug."""

    def __init__(self, server: Server, redis: VirtualTimeServer, keys: Keys, clock: Clock) -> None:
        """Take a way to look, and one to execute."""
        self._server = server
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self.faults: list[str] = []
        self._claims: dict[object, object] = {}
        self._lone: dict[str, set[str]] = {}

    def lone_claims(self, message_id: str) -> int:
        """Return how often a message was claimed alone."""
        return len(self._lone.get(message_id, ()))

    def execute(self, holder: Holder, commands: Sequence[Command]) -> list[Any]:
        """Execute for a process and watch."""
        if not any(words[0] == "EVALSHA" for words, _ in commands):
            return self._redis.execute(commands)
        return [self._watched(holder, command) for command in commands]

    def _watched(self, holder: Holder, command: Command) -> Any:  # noqa: ANN401 - whatever Redis answers
        words, _ = command
        if words[1] == _CLAIM:
            return self._claim(holder, command)
        if words[1] in _UNDER_A_CLAIM:
            return self._end(holder, command)
        return self._redis.execute([command])[0]

    def _claim(self, holder: Holder, command: Command) -> Any:  # noqa: ANN401 - as above
        _, claim_id, _, kind, *_ = command[0][SCRIPT_WORDS + command[0][2] :]
        holder.claim_ids.add(claim_id)
        strangers = [one for one in holder.in_hand if kind is not HintKind.NORMAL or one.claim.crashes]
        if strangers:
            self.faults.append(f"{holder.name} claims {kind} with {len(strangers)} others in hand")
        (rows,) = self._redis.execute([command])
        asked = (claim_id, command[0], self._clock.now())
        if self._claims.setdefault(asked, rows) != rows:
            self.faults.append(f"{holder.name} claims twice under one id and gets another answer")
        if kind is HintKind.ALONE:
            for row in rows:
                self._lone.setdefault(row[0].decode(), set()).add(claim_id)
        return rows

    def _end(self, holder: Holder, command: Command) -> Any:  # noqa: ANN401 - as above
        words = command[0]
        split = SCRIPT_WORDS + words[2]
        keys = [key for key in words[SCRIPT_WORDS:split] if ":message:" in key]
        before = self._records(keys)
        (answer,) = self._redis.execute([command])
        named = set(zip(words[split:], words[split + 1 :], strict=False))
        for key, old, new in zip(keys, before, self._records(keys), strict=True):
            _, message_id = self._keys.of_message(key)
            lease, _, holding = old[b"held"].split(b"|", 2)
            if old != new and (message_id, holding.decode()) not in named:
                self.faults.append(f"{holder.name} changed {message_id}, which another claim holds")
            if old != new and lease == b"0":
                self.faults.append(f"{holder.name} changed {message_id}, whose claim was settled before")
        return answer

    def _records(self, keys: Sequence[str]) -> list[Record]:
        pipeline = self._server.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        return list(pipeline.execute())

    def sending(self, holder: Holder, messages: Sequence[WalletMessage]) -> None:
        """Hear of a call that is about to be sent: each message must be leased to its sender, and open still."""
        for message in messages:
            message_id = message.message_id.partition("-")[0]
            key = self._keys.message(self._keys.shard(message_id), message_id)
            held, state = (raw(field or b"") for field in self._server.hmget(key, "held", message.channel))
            lease, _, claim = (held or b"0||").split(b"|", 2)
            if claim.decode() not in holder.claim_ids or int(lease) <= self._clock.now():
                self.faults.append(f"{holder.name} sends {message.message_id} without a lease")
            if not state.startswith(b"O"):
                self.faults.append(f"{holder.name} sends {message.message_id}, whose outcome is recorded")
        for key, number in Counter(message.message_id for message in messages).items():
            if number > 1:
                self.faults.append(f"{holder.name} sends {key} {number} times in one call")
