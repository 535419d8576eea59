"""What the core needs from the outside world, as Protocols; `bootstrap` and `assembly` choose the adapters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from worker.contract.answers import Answer, WalletMessage
from worker.contract.callbacks import NO_OUTCOMES, CallbackRegistration, Outcomes
from worker.contract.clients import RegisteredClient
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
from worker.contract.rates import Grant, RateLimit, Turn
from worker.contract.templates import TemplateVersion
from worker.contract.users import GatewayRoute, SendCap, TokenGrant, Unresolved, User, Wallet

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


class Templates(Protocol):
    """Template versions."""

    async def live(self, codes: Sequence[str]) -> dict[str, TemplateVersion]:
        """Return the live version of each code that exists."""
        ...

    async def version(self, code: str, version: int) -> TemplateVersion | None:
        """Return one version, or None."""
        ...


class TemplateCatalogue(Templates, Protocol):
    """What clients may see of the templates. Raises LedgerUnavailableError when the store did not answer."""

    async def published(self, code: str, version: int) -> TemplateVersion | None:
        """Return a version that is live or was so once; None for a draft, as for one that is not there."""
        ...

    async def codes(self) -> Sequence[str]:
        """Return the codes of all templates that have a live version, sorted."""
        ...


class Users(Protocol):
    """Resolves access tokens."""

    async def resolve(self, tokens: Sequence[str]) -> Sequence[TokenGrant | Unresolved | None]:
        """Return what each token grants, None for an unknown one, in order.

        Raises LedgerUnavailableError when the store of all tokens did not answer.
        """
        ...


class Wallets(Protocol):
    """The super apps that users belong to."""

    async def all(self) -> Mapping[str, Wallet]:
        """Return every wallet by its name."""
        ...


class ClientRegistry(Protocol):
    """The callers that are registered. Raises LedgerUnavailableError when it did not answer."""

    async def all(self) -> Mapping[str, RegisteredClient]:
        """Return every client by its Client-Id."""
        ...


class CallbackRegistry(Protocol):
    """Where merchants want to be called back. Raises LedgerUnavailableError when it did not answer."""

    async def all(self) -> Mapping[str, CallbackRegistration]:
        """Return every registration by its appId."""
        ...

    async def disable(self, app_id: str, url: str, reason: str) -> None:
        """Tell a merchant nothing any more, unless it registered another URL since."""
        ...


@dataclass(frozen=True, slots=True)
class CapRequest:
    """One message's place under its wallet's cap."""

    message_id: str
    app_id: str
    user: User
    cap: SendCap


class CapUse(NamedTuple):
    """How much of a cap is used."""

    messages: int
    """How many messages are counted in the period that ends now."""
    counted: bool
    """Whether the message that was asked for is one of them."""


class Caps(Protocol):
    """The wallets' caps on messages of one appId to one customer (R35)."""

    async def uses(self, requests: Sequence[CapRequest]) -> list[CapUse]:
        """Return how much is used; nothing is counted."""
        ...

    async def reserve(self, requests: Sequence[CapRequest]) -> list[bool]:
        """Count each message once, however often it is asked; False where the cap is reached."""
        ...


class Rates(Protocol):
    """The merchants' rate limits, shared by all API processes (R36). Raises LedgerUnavailableError."""

    async def take(self, asked: Mapping[RateLimit, int]) -> Mapping[RateLimit, Grant]:
        """Let sends through, by how many ask under each limit; what is beyond is counted as refused."""
        ...


class Turns(Protocol):
    """The turns of gateways that have a send rate, shared by all workers. Raises LedgerUnavailableError."""

    async def reserve(self, gateway: str, rate: int, messages: int, patience: int) -> Turn:
        """Take the next free turn, if it begins within `patience` milliseconds; `rate` is messages a second."""
        ...
