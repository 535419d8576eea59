"""Users as a token resolves to them, and the wallets that serve them (CONTRACT R11, R37, R64)."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple, final

from typing_extensions import override

from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.reprs import repr_without

SEND_SCOPE = "SEND_MESSAGE"
"""The scope a token needs for a send (R37)."""
_NONE: Final[frozenset[Channel]] = frozenset()
_DIGEST_BYTES = 8


@final
@dataclass(init=False)
class User:
    """Whom a send reaches. Resolved at intake; the token itself goes no further."""

    customer_id: Final[str]
    """The wallet's id of the user, at most 32 characters (R66)."""
    wallet: Final[str]
    """Name of the super app, as in customerBelongsTo."""
    languages: Final[tuple[str, ...]]
    """BCP 47 tags, most preferred first."""
    opted_out: Final[frozenset[Channel]]
    time_zone: Final[str | None]
    """A name of the IANA database, such as Asia/Manila; None: not known."""
    quiet_hours: Final[QuietHours | None]
    """In the user's time zone; in UTC where that is not known."""
    digest: Final[str]
    """What stands for the user when contents are compared (R41): 16 hex digits."""

    def __init__(  # noqa: PLR0913, PLR0917 - its fields, in their order
        self,
        customer_id: str,
        wallet: str,
        languages: tuple[str, ...] = (),
        opted_out: frozenset[Channel] = _NONE,
        time_zone: str | None = None,
        quiet_hours: QuietHours | None = None,
        digest: str = "",
    ) -> None:
        """Keep what is known of them; written out as in `worker.contract.messages.NewMessage`.

        The digest is for stores, which keep it with the user: it costs as much to make as all else to read. Who
        replaces wallet or customer replaces it by ''.
        """
        self.customer_id = customer_id
        self.wallet = wallet
        self.languages = languages
        self.opted_out = opted_out
        self.time_zone = time_zone
        self.quiet_hours = quiet_hours
        self.digest = digest or _digest(wallet, customer_id)

    @override
    def __repr__(self) -> str:
        return repr_without(self, "customer_id", "digest")


def _digest(wallet: str, customer_id: str) -> str:
    return blake2b(f"{wallet}#{customer_id}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


@final
@dataclass(init=False)
class TokenGrant:
    """What the resolver knows of one access token."""

    user: Final[User]
    app_id: Final[str]
    scopes: Final[frozenset[str]]
    expires_at: Final[int | None]
    """Milliseconds since 1970; None: never."""

    def __init__(self, user: User, app_id: str, scopes: frozenset[str], expires_at: int | None) -> None:
        """Keep what is known of it; written out as that of `User`."""
        self.user = user
        self.app_id = app_id
        self.scopes = scopes
        self.expires_at = expires_at


class Unresolved(NamedTuple):
    """Nobody can say now what a token grants: a send with it is neither taken nor refused (R31)."""

    reason: str
    """Holds no token."""


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """One gateway of a wallet and the channels it serves."""

    name: str
    url: str
    """Base URL; `/v2/platform/message/send` is appended."""
    channels: frozenset[Channel] = frozenset(Channel)
    inquiry: bool = False
    """Whether it can be asked what became of a message: `/v2/platform/message/inquiry` is appended."""
    rate: int | None = None
    """Most messages a second from all workers together, those of inquiries included; None: no limit."""


@dataclass(frozen=True, slots=True)
class SendCap:
    """At most `messages` of one appId to one customer in any `period` milliseconds (R35)."""

    messages: int
    period: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """A super app: its gateways in order of preference, and its cap, if it has one."""

    name: str
    gateways: tuple[GatewayRoute, ...]
    cap: SendCap | None = None

    def gateways_for(self, channel: Channel) -> list[GatewayRoute]:
        """Return the gateways that serve the channel, most preferred first."""
        return [gateway for gateway in self.gateways if channel in gateway.channels]
