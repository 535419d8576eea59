"""Messages in the hands of this process, from claim to settlement."""

import math
from collections import defaultdict
from collections.abc import Iterable

from worker.batching import chunks
from worker.contract.answers import Answer, AnswerKind
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Channel, Claim, Hint, HintKind, Lane
from worker.ports import Clock, Ledger


class Held:
    """One claimed message. It may be sent only before `deadline`, the local end of its lease."""

    def __init__(
        self,
        claim: Claim,
        lane: Lane,
        shard: int,
        deadline: float,
        renew_until: float,
        expires: float = math.inf,
    ) -> None:
        """Begin without an answer."""
        self.claim = claim
        self.lane = lane
        self.shard = shard
        self.deadline = deadline
        """Seconds of the monotonic clock; taken before the claim was asked for, so never later than the ledger's
        lease."""
        self.renew_until = renew_until
        """Seconds of the monotonic clock after which the lease is no longer extended."""
        self.expires = expires
        """Seconds of the monotonic clock: the message's own deadline, after which nothing of it is sent (R43)."""
        self.waiting = 0
        """Channels whose answer is still out."""
        self.answers: dict[Channel, Answer] = {}
        self.gateways: dict[Channel, str] = {}
        """Name of the gateway that each channel was put on the way to."""

    @property
    def expired(self) -> bool:
        """Whether it was past its deadline when it was claimed: then it is not sent (R43)."""
        return self.claim.claimed_at >= self.claim.expires_at

    def has_answer(self, kind: AnswerKind) -> bool:
        """Whether any of its channels was answered so."""
        return any(answer.kind is kind for answer in self.answers.values())


def hints_of(held: Iterable[Held]) -> list[Hint]:
    """Return messages as hints: lanes, shards and kinds apart (DESIGN 9)."""
    together = defaultdict[tuple[Lane, int, HintKind], list[str]](list)
    for one in held:
        together[one.lane, one.shard, HintKind.of(one.claim.crashes)].append(one.claim.message_id)
    return [
        Hint(lane, shard, tuple(ids), kind)
        for (lane, shard, kind), every in together.items()
        for ids in chunks(every, kind.most)
    ]


class Holdings:
    """Every held message of this process, and the extension of their leases."""

    def __init__(self, ledger: Ledger, clock: Clock, lease: int) -> None:
        """Start with empty hands; `lease` is in milliseconds."""
        self._ledger = ledger
        self._clock = clock
        self._lease = lease / 1000
        self._held: set[Held] = set()

    def __len__(self) -> int:
        """Return how many messages are held."""
        return len(self._held)

    def add(self, held: Iterable[Held]) -> None:
        """Note messages just claimed."""
        self._held.update(held)

    def remove(self, held: Iterable[Held]) -> None:
        """Forget messages that were settled or given back."""
        self._held.difference_update(held)

    async def renew(self) -> None:
        """Extend the lease of every message that may still be sent or is being answered.

        A message that another claim has taken is not sent any more. While the ledger does not answer every message
        keeps its old deadline.
        """
        now = self._clock.monotonic()
        held = [one for one in self._held if one.deadline > now and one.renew_until > now]
        try:
            renewed = await self._ledger.renew([one.claim for one in held])
        except LedgerUnavailableError:
            return
        for one, ours in zip(held, renewed, strict=True):
            one.deadline = now + self._lease if ours else now
