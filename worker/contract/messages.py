"""A message and its deliveries on their way through the ledger.

Times are whole milliseconds of the ledger's own clock (Redis TIME) since 1970, unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, assert_never, final

from typing_extensions import override

from worker.contract.reprs import repr_without

CHUNK = 200
"""Most messages in a chunk, which is what one hint names and one script handles: none takes longer than about 5 ms."""
SUSPECTS = 20
"""Most messages in a hint of suspects: about one wallet call."""
LONE_CRASHES = 3
"""Crashes of a message claimed alone that make it poison (DESIGN 9)."""


class Channel(StrEnum):
    """Where a message is shown. The unit of delivery is (message, channel)."""

    PUSH = "PUSH"
    INBOX = "INBOX"


class Lane(StrEnum):
    """The queue a message travels in: interactive sends are preferred over batches."""

    SINGLE = "single"
    BULK = "bulk"


class DeliveryState(StrEnum):
    """The state of one channel of a message, as the ledger's record writes it."""

    OPEN = "O"
    S = "S"
    U = "U"
    F = "F"
    SKIPPED = "K"


class DeadCause(StrEnum):
    """Why a message became a dead letter."""

    TRIES = "TRIES"
    """The gateway kept answering "retry" until the tries were used up."""
    UNANSWERED = "UNANSWERED"
    """The gateway's answer never came: the outcome is U for good."""
    EXPIRED = "EXPIRED"
    """Past its deadline before every channel was settled."""
    UNDELIVERABLE = "UNDELIVERABLE"
    """It can't be rendered or routed: its template version, its wallet or a length limit is at fault."""
    POISON = "POISON"
    """Workers died while they held it and nothing else, three times."""


class WaitReason(StrEnum):
    """Why a message is not sent before some time; the texts are the record's."""

    SCHEDULE = "SCHEDULE"
    """Its merchant wants it so (`sendAt`)."""
    QUIET_HOURS = "QUIET_HOURS"
    """Its user wants no PUSH at this hour."""
    RETRY = "RETRY"
    """It was tried, and is tried again then."""


@final
@dataclass(init=False)
class NewMessage:
    """What intake hands to the ledger for one accepted send.

    Its `__init__` is written out, as of all classes of which each send needs one: compiled, it takes a fifth of the
    time of a named tuple's or of one that `dataclass` makes.
    """

    message_id: Final[str]
    request_id: Final[str]
    fingerprint: Final[str]
    """Digest of the send's content without its token (R41, R53)."""
    user: Final[str]
    """Digest of the user that the token resolved to (R41)."""
    client_id: Final[str]
    template_code: Final[str]
    template_version: Final[int]
    language: Final[str]
    channels: Final[tuple[Channel, ...]]
    skipped: Final[tuple[Channel, ...]]
    """Channels of the template that the user opted out of (R73)."""
    deliver_within: Final[int]
    """Milliseconds from acceptance after which the message expires (R43)."""
    payload: Final[bytes]
    """A `Payload` as bytes; erased once every channel has S."""
    row: Final[int | None]
    """Its number in its batch, from 0 to 99,999,999, where its batch is to be read by rows."""
    send_at: Final[int | None]
    """When to send it, in milliseconds since 1970; None, or past: at once."""
    expire_at: Final[int | None]
    """When it expires; None: `deliver_within` after it was taken, or after `send_at`."""

    def __init__(  # noqa: PLR0913, PLR0917 - its fields, in their order
        self,
        message_id: str,
        request_id: str,
        fingerprint: str,
        user: str,
        client_id: str,
        template_code: str,
        template_version: int,
        language: str,
        channels: tuple[Channel, ...],
        skipped: tuple[Channel, ...],
        deliver_within: int,
        payload: bytes,
        row: int | None = None,
        send_at: int | None = None,
        expire_at: int | None = None,
    ) -> None:
        """Keep what is known of it."""
        self.message_id = message_id
        self.request_id = request_id
        self.fingerprint = fingerprint
        self.user = user
        self.client_id = client_id
        self.template_code = template_code
        self.template_version = template_version
        self.language = language
        self.channels = channels
        self.skipped = skipped
        self.deliver_within = deliver_within
        self.payload = payload
        self.row = row
        self.send_at = send_at
        self.expire_at = expire_at

    @override
    def __repr__(self) -> str:
        return repr_without(self, "user", "payload")


class Acceptance(IntEnum):
    """What became of one message at accept; the numbers are the script's return codes."""

    DUE = 1
    """New, in the due index: to be hinted."""
    BACKLOGGED = 2
    """New, in its merchant's backlog: the window is full, or others wait there."""
    REPEATED = 3
    """Known with the same content (R50)."""
    INCONSISTENT = 4
    """Known with another content (R41)."""
    ABSENT = 5
    """Never seen: answered to a probe alone, which takes nothing."""
    STAGED = 6
    """Known, in another batch of which nobody has decided yet: it may be withdrawn, so the answer is U (R31)."""
    SCHEDULED = 7
    """New, and to be sent later."""


_NO_GATEWAYS: Mapping[Channel, str] = MappingProxyType({})


@final
@dataclass(init=False)
class Claim:
    """One message in a worker's hands, until `lease` runs out or it is settled."""

    message_id: Final[str]
    claim_id: Final[str]
    attempt: Final[int]
    """The fencing token: raised by every claim."""
    tries: Final[int]
    """How often a gateway answered or timed out so far."""
    crashes: Final[int]
    """How many earlier claims ended without being settled. Each left its open channels UNANSWERED."""
    taken_at: Final[int]
    claimed_at: Final[int]
    expires_at: Final[int]
    deliveries: Final[Mapping[Channel, str]]
    """The record's channel fields: `state|time|code|message`, the state first."""
    payload: Final[bytes]
    """Empty for poison."""
    app_id: Final[str]
    """Of its merchant."""
    lone: Final[int]
    """How many of the crashes happened while the message was claimed alone."""
    gateways: Final[Mapping[Channel, str]]
    """Name of the gateway that was asked last, where the record says it; else it was the wallet's first."""

    def __init__(  # noqa: PLR0913, PLR0917 - its fields, in their order
        self,
        message_id: str,
        claim_id: str,
        attempt: int,
        tries: int,
        crashes: int,
        taken_at: int,
        claimed_at: int,
        expires_at: int,
        deliveries: Mapping[Channel, str],
        payload: bytes,
        app_id: str = "",
        lone: int = 0,
        gateways: Mapping[Channel, str] = _NO_GATEWAYS,
    ) -> None:
        """Keep its fields; written out as that of `NewMessage`."""
        self.message_id = message_id
        self.claim_id = claim_id
        self.attempt = attempt
        self.tries = tries
        self.crashes = crashes
        self.taken_at = taken_at
        self.claimed_at = claimed_at
        self.expires_at = expires_at
        self.deliveries = deliveries
        self.payload = payload
        self.app_id = app_id
        self.lone = lone
        self.gateways = gateways

    @override
    def __repr__(self) -> str:
        return repr_without(self, "payload")

    @property
    def poison(self) -> bool:
        """Whether it killed workers that held nothing else, so often that nobody may touch it any more."""
        return self.lone >= LONE_CRASHES


@dataclass(frozen=True, slots=True)
class GatewayNote:
    """Which gateways a claim is about to ask, where the record names others."""

    message_id: str
    claim_id: str
    attempt: int
    gateways: Mapping[Channel, str]


@final
@dataclass(init=False)
class DeliveryUpdate:
    """What a claim learnt of one channel."""

    channel: Final[Channel]
    state: Final[DeliveryState]
    code: Final[str]
    message: Final[str]
    gateway: Final[str]
    """Name of the gateway that was asked, where the message is not final by it; empty: nothing new of that."""

    def __init__(
        self,
        channel: Channel,
        state: DeliveryState,
        code: str = "",
        message: str = "",
        gateway: str = "",
    ) -> None:
        """Keep its fields; written out as that of `NewMessage`."""
        self.channel = channel
        self.state = state
        self.code = code
        self.message = message
        self.gateway = gateway


class Verdict(StrEnum):
    """What happens to a message after its claim; the texts are the settle script's arguments."""

    FINAL = "final"
    RETRY = "retry"
    DEFER = "defer"
    """To be sent later, as nobody may send it now; it waits in the schedule, outside its merchant's window."""
    DEAD = "dead"


@final
@dataclass(init=False)
class Settlement:
    """The end of one claim: what to record and when, if ever, to come back."""

    message_id: Final[str]
    claim_id: Final[str]
    attempt: Final[int]
    verdict: Final[Verdict]
    updates: Final[tuple[DeliveryUpdate, ...]]
    tries: Final[int]
    """Tries burnt by this claim: 0 or 1."""
    delay: Final[int]
    """Milliseconds until the next claim, for RETRY; until it is woken, at its deadline at the latest, for DEFER."""
    cause: Final[str]
    """A DeadCause, for DEAD; a WaitReason, for DEFER."""
    worker: Final[str]
    """Who held the claim, for the timeline."""

    def __init__(  # noqa: PLR0913, PLR0917 - its fields, in their order
        self,
        message_id: str,
        claim_id: str,
        attempt: int,
        verdict: Verdict,
        updates: tuple[DeliveryUpdate, ...],
        tries: int = 0,
        delay: int = 0,
        cause: str = "",
        worker: str = "",
    ) -> None:
        """Keep its fields; written out as that of `NewMessage`."""
        self.message_id = message_id
        self.claim_id = claim_id
        self.attempt = attempt
        self.verdict = verdict
        self.updates = updates
        self.tries = tries
        self.delay = delay
        self.cause = cause
        self.worker = worker


class Settled(IntEnum):
    """What the settle script made of a settlement; the numbers are its return codes."""

    STALE = 0
    """Another claim has the message: nothing was changed."""
    DONE = 1
    ALREADY = 2
    """This very claim was settled before: nothing was changed."""


class HintKind(StrEnum):
    """Which messages a hint may claim, and in what company (DESIGN 9); the texts are the claim script's argument."""

    NORMAL = "normal"
    """Messages without a crash, beside whatever else the process has in hand."""
    SUSPECTS = "suspects"
    """Messages with at most one crash. The process has nothing else in hand meanwhile."""
    ALONE = "alone"
    """One message, however often it crashed. The process has nothing else in hand meanwhile."""

    @classmethod
    def of(cls, crashes: int) -> "HintKind":
        """Return the kind of hint that a message with so many crashes belongs in."""
        return (cls.NORMAL, cls.SUSPECTS, cls.ALONE)[min(crashes, 2)]

    @property
    def most(self) -> int:
        """Most messages that a hint of this kind names."""
        match self:
            case HintKind.NORMAL:
                return CHUNK
            case HintKind.SUSPECTS:
                return SUSPECTS
            case HintKind.ALONE:
                return 1
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Hint:
    """A chunk of message ids that somebody may claim. Losing or repeating a hint is harmless."""

    lane: Lane
    shard: int
    message_ids: tuple[str, ...]
    kind: HintKind = HintKind.NORMAL
