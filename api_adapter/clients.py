"""Who calls, and which appIds the caller may send for (CONTRACT R20, R39, R71).

Whether the caller is who the Client-Id header says is `api_adapter.authentication`'s to find out.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from worker.contract.clients import PLAIN_CLIENT_ID, RegisteredClient
from worker.contract.codes import Result, ResultCode
from worker.registry_ports import ClientRegistry

CLIENT_ID = "client-id"

_MISSING = Result.refused(ResultCode.INVALID_CLIENT, "header Client-Id: is required")
_NOT_PLAIN = Result.refused(
    ResultCode.INVALID_CLIENT,
    "header Client-Id: must be at most 128 printable ASCII characters, no white space",
)
_NOT_KNOWN = Result.refused(ResultCode.INVALID_CLIENT, "header Client-Id: is not a known client")


class Caller(NamedTuple):
    """Who calls, if the header is right."""

    client_id: str
    app_ids: frozenset[str] | None
    """What it may send and look up for; None: any appId."""
    registered: RegisteredClient | None = None

    def may_send_for(self, app_id: str) -> bool:
        """Return whether the caller may send and look up for an appId."""
        return self.app_ids is None or app_id in self.app_ids


class Clients:
    """The callers that are registered, and those that the settings name without a key."""

    def __init__(self, registry: ClientRegistry, unregistered: Mapping[str, Collection[str]] | None) -> None:
        """Keep the registry.

        Args:
            registry: what it says of a client counts alone.
            unregistered: the appIds of other clients; empty: any caller may send for any appId while none is
                registered; None: nobody but registered clients may call.

        """
        self._registry = registry
        self._closed = unregistered is None
        self._app_ids = {client: frozenset(app_ids) for client, app_ids in (unregistered or {}).items()}

    async def identify(self, headers: Mapping[str, str]) -> Caller | Result:
        """Return the caller, or the refusal; header names are in lower case. Raises LedgerUnavailableError."""
        client_id = client_id_of(headers)
        if isinstance(client_id, Result):
            return client_id
        known = await self._registry.all()
        registered = known.get(client_id)
        if registered is not None:
            return Caller(client_id, registered.app_ids, registered)
        if client_id in self._app_ids:
            return Caller(client_id, self._app_ids[client_id])
        if self._closed or self._app_ids or known:
            return _NOT_KNOWN
        return Caller(client_id, None)


def client_id_of(headers: Mapping[str, str]) -> str | Result:
    """Return what the Client-Id header says, or the refusal (R39)."""
    client_id = headers.get(CLIENT_ID, "").strip(" \t")
    if not client_id:
        return _MISSING
    return client_id if PLAIN_CLIENT_ID.fullmatch(client_id) else _NOT_PLAIN
