"""What an access token grants, as Redis keeps it: JSON."""

import orjson

from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import TokenGrant, User

_NONE: frozenset[Channel] = frozenset()


def pack_grant(grant: TokenGrant) -> bytes:
    """Return a grant as it is stored."""
    user = grant.user
    return orjson.dumps(
        {
            "customerId": user.customer_id,
            "wallet": user.wallet,
            "languages": user.languages,
            "optedOut": sorted(user.opted_out),
            "timeZone": user.time_zone,
            "quietHours": user.quiet_hours and [*user.quiet_hours],
            "appId": grant.app_id,
            "scopes": sorted(grant.scopes),
            "expiresAt": grant.expires_at,
        },
    )


def read_grant(packed: bytes) -> TokenGrant:
    """Return the grant that `pack_grant` wrote."""
    fields = orjson.loads(packed)
    quiet_hours, opted_out = fields.get("quietHours"), fields["optedOut"]
    # Named tuples of what each send needs are made by position: by name they cost three times as much.
    user = User(
        fields["customerId"],
        fields["wallet"],
        tuple(fields["languages"]),
        frozenset(map(Channel, opted_out)) if opted_out else _NONE,
        fields.get("timeZone"),  # grants that were put before users had one lack it
        QuietHours(*quiet_hours) if quiet_hours else None,
    )
    return TokenGrant(user, fields["appId"], frozenset(fields["scopes"]), fields["expiresAt"])
