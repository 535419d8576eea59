"""What an access token grants, as Redis keeps it: a JSON array, read for each send in half the time of an object."""

from typing import Any

import orjson

from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import SEND_SCOPE, TokenGrant, User

_NONE: frozenset[Channel] = frozenset()
_SENDING = frozenset({SEND_SCOPE})
_ALWAYS, _OPTIONAL = 5, 5
"""Fields that each grant has, and of those behind them, whose last ones may be missing."""


def pack_grant(grant: TokenGrant) -> bytes:
    """Return a grant as it is stored: customerId, wallet, digest of the user, appId, and when it expires.

    Behind them languages, scopes (null: sending alone, as nearly all have), channels opted out of, time zone and quiet
    hours, up to the last that is known or not empty.
    """
    user = grant.user
    fields = [
        user.customer_id,
        user.wallet,
        user.digest,
        grant.app_id,
        grant.expires_at,
        user.languages or None,
        None if grant.scopes == _SENDING else sorted(grant.scopes),
        sorted(user.opted_out) or None,
        user.time_zone,
        user.quiet_hours and [*user.quiet_hours],
    ]
    while len(fields) > _ALWAYS and fields[-1] is None:
        fields.pop()
    return orjson.dumps(fields)


def read_grant(packed: bytes) -> TokenGrant:
    """Return the grant that `pack_grant` wrote."""
    fields: list[Any] = orjson.loads(packed)
    customer_id, wallet, digest, app_id, expires_at = fields[:_ALWAYS]
    if len(fields) == _ALWAYS:
        return TokenGrant(User(customer_id, wallet, digest=digest), app_id, _SENDING, expires_at)
    languages, scopes, opted_out, time_zone, quiet_hours = (*fields[_ALWAYS:], *[None] * _OPTIONAL)[:_OPTIONAL]
    user = User(
        customer_id,
        wallet,
        tuple(languages or ()),
        frozenset(map(Channel, opted_out)) if opted_out else _NONE,
        time_zone,
        QuietHours(*quiet_hours) if quiet_hours else None,
        digest,
    )
    return TokenGrant(user, app_id, _SENDING if scopes is None else frozenset(scopes), expires_at)
