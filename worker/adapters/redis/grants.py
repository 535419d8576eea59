"""What an access token grants, as Redis keeps it: JSON."""

import orjson

from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import TokenGrant, User

_NONE: frozenset[Channel] = frozenset()


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
    fields = orjson.loads(packed)
    opted_out, quiet_hours = fields.get("optedOut"), fields.get("quietHours")
    # Named tuples of what each send needs are made by position: by name they cost three times as much.
    user = User(
        fields["customerId"],
        fields["wallet"],
        tuple(fields.get("languages", ())),
        frozenset(map(Channel, opted_out)) if opted_out else _NONE,
        fields.get("timeZone"),
        QuietHours(*quiet_hours) if quiet_hours else None,
    )
    return TokenGrant(user, fields["appId"], frozenset(fields.get("scopes", ())), fields.get("expiresAt"))
