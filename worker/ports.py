"""What the core needs from the outside world, as Protocols; `bootstrap` and `assembly` choose the adapters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from worker.contract.answers import Answer, WalletMessage
from worker.contract.callbacks import NO_OUTCOMES, Outcomes
from worker.contract.dead_letters import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Discarded,
    Position,
    Replayed,
)
from worker.contract.figures import LedgerFigures
from worker.contract.findings import Finding
from worker.contract.gateways import OpenedBreaker
from worker.contract.messages import (
    Acceptance,
    Claim,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
    Settled,
    Settlement,
)
from worker.contract.origins import NO_BATCH, BatchPart
from worker.contract.outcomes import MessageOutcome, WholeOutcome
from worker.contract.payload import MaskedPayload
from worker.contract.users import GatewayRoute

ShardLane: TypeAlias = tuple[int, Lane]
"""A shard and a lane: what has backlogs of its own."""


class Clock(Protocol):
    """The worker's own clocks. Leases and schedules use the ledger's clock instead."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for local deadlines."""
        ...

    def now(self) -> int:
        """Return milliseconds since 1970."""
        ...


@dataclass(frozen=True, slots=True)
class Probe:
    """A question whether a message is known, asked without taking it (R50)."""

    message_id: str
    fingerprint: str
    user: str
    """Digest of the user; empty: compared without the user."""


class Ledger(Protocol):
    """The truth about every message. All calls are for chunks, atomic for each message and safe to repeat.

    Every method raises LedgerUnavailableError when the store did not answer.
    """

    async def accept(
        self,
        app_id: str,
        lane: Lane,
        messages: Sequence[NewMessage],
        told: Outcomes = NO_OUTCOMES,
        part: BatchPart = NO_BATCH,
    ) -> list[Acceptance]:
        """Take new messages, of one batch or of none; one Acceptance each, in order.

        Their merchant is called back for the outcomes `told`.
        """
        ...

    async def probe(self, probes: Sequence[Probe]) -> list[Acceptance]:
        """Say of each REPEATED, INCONSISTENT, STAGED or ABSENT, in order."""
        ...

    async def claim(
        self,
        shard: int,
        message_ids: Sequence[str],
        claim_id: str,
        kind: HintKind = HintKind.NORMAL,
    ) -> list[Claim]:
        """Take what is open, due, not leased and of the kind. The same claim_id asked again gets the same answer."""
        ...

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Extend the leases of claims still held; False where another claim has the message."""
        ...

    async def note_gateways(self, notes: Sequence[GatewayNote]) -> list[bool]:
        """Write down which gateways are about to be asked; False where another claim has the message."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Record outcomes, each only if its claim still holds the message."""
        ...

    async def sweep(self) -> list[Hint]:
        """Re-score overdue messages to a later time and return them as hints."""
        ...

    async def release(self, places: Sequence[ShardLane]) -> list[Hint]:
        """Move messages from backlogs to due indexes: what has room in its window, and what is past its deadline.

        Origins of one place take turns. A window is filled again once a quarter of it is free: chunks stay large.
        """
        ...

    async def backlogged(self) -> list[ShardLane]:
        """Return the places that have a backlog."""
        ...

    async def forget(self) -> int:
        """Erase messages past their retention; return how many."""
        ...


class Records(Protocol):
    """The read side of the ledger. Every method raises LedgerUnavailableError when the store did not answer."""

    async def find(self, message_ids: Sequence[str]) -> list[MessageOutcome | None]:
        """Return everything known of each message, None for one never seen, in order."""
        ...

    async def statuses(self, message_ids: Sequence[str]) -> list[WholeOutcome | None]:
        """Return the whole outcome of each message, None for one never seen, in order."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...


class Figures(Protocol):
    """The ledger in numbers. Raises LedgerUnavailableError when the store did not answer."""

    async def read(self) -> LedgerFigures:
        """Return the figures of this moment."""
        ...


class DeadLetters(Protocol):
    """The messages that nobody tries any more. Every method raises LedgerUnavailableError when the store didn't answer.

    Replaying and discarding are atomic for each letter and safe to repeat under the same `run`.
    """

    async def now(self) -> int:
        """Return the ledger's time."""
        ...

    async def page(self, query: DeadLetterQuery, most: int, after: Position | None = None) -> DeadLetterPage:
        """Return the newest letters that the query finds, older than `after`."""
        ...

    async def find(self, message_ids: Sequence[str]) -> list[DeadLetter | None]:
        """Return each message as a dead letter, None for one that is none, in order."""
        ...

    async def contents(self, message_ids: Sequence[str]) -> list[MaskedPayload | None]:
        """Return what may be seen of each payload, None for one that is gone or unreadable, in order."""
        ...

    async def replay(self, letters: Sequence[DeadLetter], run: str, deliver_within: int) -> list[Replayed]:
        """Open letters again, each once in a run however often it dies; `deliver_within` is in milliseconds."""
        ...

    async def discard(self, letters: Sequence[DeadLetter], run: str, reason: str) -> list[Discarded]:
        """Let letters be forgotten after their retention; their outcomes stay."""
        ...


class Durability(Protocol):
    """What the stores keep of what they were told. An empty list: nothing is wrong."""

    async def findings(self) -> list[Finding]:
        """Return what is wrong with the ledger's store; raises LedgerUnavailableError when it did not answer."""
        ...

    async def broker_findings(self) -> list[Finding]:
        """Return what is wrong with the broker's store; nothing of one that can't be asked or is away."""
        ...


class Hints(Protocol):
    """Publishes hints to the broker. Never blocks and never raises: a lost hint falls due in the ledger."""

    def publish(self, hints: Sequence[Hint]) -> None:
        """Hand hints to the broker soon."""
        ...


class Gateway(Protocol):
    """A wallet's gateway: up to 20 messages a call."""

    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        """Deliver in one call; one Answer for each message, in order. Never raises for what the network does."""
        ...

    async def inquire(self, route: GatewayRoute, message_ids: Sequence[str]) -> list[Answer | None]:
        """Ask in one call what became of messages, in order; None where the gateway has not got it.

        Never raises for what the network does. For a gateway that offers it alone (`GatewayRoute.inquiry`).
        """
        ...


class BreakerStore(Protocol):
    """The gateways' breakers, shared by all workers (R69). Raises LedgerUnavailableError when it did not answer."""

    async def open(self, gateway: str, reason: str, asked: int | None) -> int:
        """Open a breaker and return for how many milliseconds; `asked` is how long the gateway asked to wait, if so."""
        ...

    async def probe(self, gateway: str) -> int:
        """Take the right to the one call that asks whether a gateway is back; 0, or the milliseconds to wait."""
        ...

    async def close(self, gateway: str) -> None:
        """Let everybody call the gateway again."""
        ...

    async def opened(self) -> Mapping[str, OpenedBreaker]:
        """Return the breakers that are not closed, by gateway name."""
        ...
