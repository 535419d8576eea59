"""The Redis keys of what is registered, and of the gateways. They are of no shard.

======================================  ======  =================================================================
key                                     type    holds
======================================  ======  =================================================================
tidings:{gateways}:breakers             hash    gateway name -> `<open until>|<since>|<times>|<probed until>|<reason>`
tidings:{gateways}:turns:<gateway>      string  ms when its next turn begins
tidings:{templates}                     hash    `<code>` -> live version; `<code>#newest` -> highest one; `<code>#<n>`
                                                -> that version (JSON); `<code>#<n>#since` -> ms when first live
tidings:{templates}:history:<code>      list    newest first: `<id>|<ms>|<act>|<version>|<live before>|<who>`
tidings:{wallets}                       hash    wallet name -> its gateways and cap (JSON)
tidings:{clients}                       hash    Client-Id -> its appIds, public keys, rate and networks (JSON)
tidings:{callbacks}                     hash    appId -> its URL, outcomes and sealed secrets (JSON)
tidings:{callbacks}:owners              hash    appId -> `<process>|<ms until>`: who alone calls the merchant back
======================================  ======  =================================================================
"""

from worker.adapters.redis.keys import PREFIX

TEMPLATES_KEY = f"{PREFIX}:{{templates}}"
WALLETS_KEY = f"{PREFIX}:{{wallets}}"
CLIENTS_KEY = f"{PREFIX}:{{clients}}"
REGISTRATIONS_KEY = f"{PREFIX}:{{callbacks}}"
OWNERS_KEY = f"{PREFIX}:{{callbacks}}:owners"
BREAKERS_KEY = f"{PREFIX}:{{gateways}}:breakers"


def template_history_key(code: str) -> str:
    """Return the key of what was done to a template."""
    return f"{PREFIX}:{{templates}}:history:{code}"


def turns_key(gateway: str) -> str:
    """Return the key of a gateway's turns."""
    return f"{PREFIX}:{{gateways}}:turns:{gateway}"
