"""Who calls, and which appIds the caller may send for (CONTRACT R20, R39, R71).

Until requests are signed the caller is who the Client-Id header says; `serve` logs a warning about that at start.
"""

import re
from collections.abc import Collection, Mapping

from worker.contract.codes import Result, ResultCode

CLIENT_ID = "client-id"
_PLAIN = re.compile(r"[!-~]{1,128}")
"""What is fit for a record and a log line."""


class Clients:
    """The callers known by the settings; none configured: any named caller may send for any appId."""

    def __init__(self, apps_by_client: Mapping[str, Collection[str]]) -> None:
        """Take the appIds of each Client-Id."""
        self._apps = {client: frozenset(apps) for client, apps in apps_by_client.items()}

    def identify(self, headers: Mapping[str, str]) -> str | Result:
        """Return the caller's Client-Id, or the refusal; header names are in lower case."""
        client_id = headers.get(CLIENT_ID, "").strip(" \t")
        if not client_id:
            return Result.refused(ResultCode.INVALID_CLIENT, "header Client-Id: is required")
        if not _PLAIN.fullmatch(client_id):
            rule = "must be at most 128 printable ASCII characters, no white space"
            return Result.refused(ResultCode.INVALID_CLIENT, f"header Client-Id: {rule}")
        if self._apps and client_id not in self._apps:
            return Result.refused(ResultCode.INVALID_CLIENT, "header Client-Id: is not a known client")
        return client_id

    def may_send_for(self, client_id: str, app_id: str) -> bool:
        """Return whether a caller that was identified may send and look up for an appId."""
        return not self._apps or app_id in self._apps[client_id]
