"""How the members of a token introspection answer (RFC 7662) are named where the standard leaves it open."""

from pydantic import BaseModel, ConfigDict


class MemberNames(BaseModel):
    """Which member of an answer says what; an empty name: none does.

    A name that begins with `/` is a JSON Pointer (RFC 6901), for what is nested, such as `/ext/wallet`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    customerId: str = "sub"  # noqa: N815 - named as in tidings token put --file
    wallet: str = "wallet"
    appId: str = "client_id"  # noqa: N815
    """A string, or an array of one such as `aud` may be."""
    languages: str = "locale"
    """BCP 47 tags, most preferred first: an array, or a string with white space or commas between them."""
    optedOut: str = "opted_out"  # noqa: N815
    """PUSH, INBOX: an array, or a string as of languages."""
    timeZone: str = "zoneinfo"  # noqa: N815
    quietHours: str = "quiet_hours"  # noqa: N815
    """Such as 22:00-07:00."""
