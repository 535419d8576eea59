"""What an access token grants, as Redis keeps it: JSON."""

from typing import Any

import orjson

from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import SEND_SCOPE, TokenGrant, User

_NONE: frozenset[Channel] = frozenset()
_SENDING = frozenset({SEND_SCOPE})


def pack_grant(grant: TokenGrant) -> bytes:
    """Return a grant as it is stored: what is not known, or none, is left out."""
    user = grant.user
    fields = {
        "customerId": user.customer_id,
        "wallet": user.wallet,
        "languages": user.languages,
        "optedOut": sorted(user.opted_out),
        "timeZone": user.time_zone,
        "quietHours": user.quiet_hours and [*user.quiet_hours],
        "appId": grant.app_id,
        "scopes": sorted(grant.scopes),
        "expiresAt": grant.expires_at,
    }
    return orjson.dumps({name: value for name, value in fields.items() if value or value == 0})


def read_grant(packed: bytes) -> TokenGrant:
    """Return the grant that `pack_grant` wrote."""
    fields: dict[str, Any] = orjson.loads(packed)
    opted_out, quiet_hours = fields.get("optedOut"), fields.get("quietHours")
    user = User(
        fields["customerId"],
        fields["wallet"],
        tuple(fields.get("languages", ())),
        frozenset(map(Channel, opted_out)) if opted_out else _NONE,
        fields.get("timeZone"),
        QuietHours(*quiet_hours) if quiet_hours else None,
    )
    scopes = fields.get("scopes")
    # Nearly all have this one: a set of its own for each would be a third of a grant.
    granted = _SENDING if scopes == [SEND_SCOPE] else frozenset(scopes or ())
    return TokenGrant(user, fields["appId"], granted, fields.get("expiresAt"))
