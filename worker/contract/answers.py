"""What a gateway said of one delivery: every possible reply of a wallet has one of these meanings (R68, R69)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from typing_extensions import override

from worker.contract.reprs import repr_without


class AnswerKind(StrEnum):
    """How one delivery of a wallet call ended."""

    DELIVERED = "delivered"
    """success true: S."""
    REFUSED = "refused"
    """success false, retry false: F at once."""
    RETRYABLE = "retryable"
    """success false, retry true: certainly not delivered; tried again by back-off."""
    UNANSWERED = "unanswered"
    """Nobody can say whether it was delivered: time-out, broken connection, garbage, result U, entry missing."""
    REJECTED = "rejected"
    """The whole call was refused for a fault of some message in it: halved until that one stands alone."""
    THROTTLED = "throttled"
    """429 or 503: the whole gateway waits; no try is burnt."""
    UNREACHABLE = "unreachable"
    """The call certainly never reached the gateway, or the gateway refuses us as a caller; no try is burnt."""
    UNDELIVERABLE = "undeliverable"
    """It can't be rendered or routed: our side's fault, and final until somebody mends it and replays."""
    PACED = "paced"
    """Beyond the send rate that its wallet sets: it waits for a turn; no try is burnt."""
    QUIET = "quiet"
    """The user wants none of it at this hour: it waits until those are over; no try is burnt."""
    NOT_SENT = "not sent"
    """Our lease ran out before the call: somebody else has the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One delivery's part of a wallet call's reply."""

    kind: AnswerKind
    code: str = ""
    message: str = ""
    retry_after: int | None = None
    """Milliseconds that the gateway asked to wait (THROTTLED, UNREACHABLE), or until it may be sent (PACED, QUIET)."""


@final
@dataclass(init=False)
class WalletMessage:
    """One Message of the wallet's API (R66): exactly what goes over the wire."""

    message_id: Final[str]
    customer_id: Final[str]
    channel: Final[str]
    template_code: Final[str]
    content: Final[str]
    """messageContent: a JSON string of at most 4096 characters (R67)."""
    redirect_url: Final[str]
    platform_template_code: Final[str]
    """The wallet's name of the template, part of extendInfo (R66)."""
    extend_info: Final[str | None]
    """The send's own extendInfo, handed on unread (R10)."""

    def __init__(  # noqa: PLR0913, PLR0917 - its fields, in their order
        self,
        message_id: str,
        customer_id: str,
        channel: str,
        template_code: str,
        content: str,
        redirect_url: str,
        platform_template_code: str,
        extend_info: str | None = None,
    ) -> None:
        """Keep its fields; written out as in `worker.contract.messages.NewMessage`."""
        self.message_id = message_id
        self.customer_id = customer_id
        self.channel = channel
        self.template_code = template_code
        self.content = content
        self.redirect_url = redirect_url
        self.platform_template_code = platform_template_code
        self.extend_info = extend_info

    @override
    def __repr__(self) -> str:
        return repr_without(self, "customer_id", "content", "redirect_url", "extend_info")
