"""Whether callbacks may be made: by their URLs, and a look-up of their hosts' names; nobody is connected to."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from worker.callbacks.ports import Reply
from worker.contract.callbacks import CallbackRegistration
from worker.contract.findings import Finding, Severity

LONGEST: Final = 5.0
"""Seconds for which the name servers may take to answer about all names."""
MOST_NAMED: Final = 10
"""Merchants of which each has a finding of its own."""


class Foreseeing(Protocol):
    """Knows what a call would end with before anybody is connected to."""

    async def foresee(self, url: str) -> Reply | None:
        """Return that; None: it would be made."""
        ...


async def address_findings(registered: Sequence[CallbackRegistration], calls: Foreseeing) -> list[Finding]:
    """Return what is wrong with the addresses of those that are called back."""
    asked = {asyncio.ensure_future(calls.foresee(one.url)): one for one in registered}
    done, slow = await asyncio.wait(asked, timeout=LONGEST) if asked else (set(), set())
    for task in slow:
        task.cancel()
    found = [_finding(one, reply) for task, one in asked.items() if task in done and (reply := task.result())]
    if len(found) > MOST_NAMED:
        what = f"merchants that are not called back, besides: {len(found) - MOST_NAMED:,}"
        found[MOST_NAMED:] = [Finding(Severity.WARNING, what, found[0].advice)]
    if slow:
        what = f"the name server of this machine said nothing in {LONGEST:g} s of hosts of callbacks: {len(slow):,}"
        found.append(Finding(Severity.WARNING, what, "look at it: workers that get no address call nobody back"))
    return found


def _finding(registration: CallbackRegistration, reply: Reply) -> Finding:
    app_id, parts = registration.app_id, urlsplit(registration.url)
    host = parts.hostname or ""
    if reply.detail == "NO_ADDRESS":
        what = f"{app_id}'s host {host} leads to no address, so it is not called back"
        return Finding(Severity.WARNING, what, f"if it never does: tidings callback put {app_id} --url URL")
    if reply.detail == "ADDRESS_FORBIDDEN" and parts.scheme == "http":
        what = f"{app_id}'s URL at {host} has no TLS, so it is not called back"
        return Finding(Severity.WARNING, what, f"put it with https, or have {_ALLOWED}")
    if reply.detail == "ADDRESS_FORBIDDEN":
        what = f"{app_id}'s host {host} is not at a public address, so it is not called back"
        return Finding(Severity.WARNING, what, f"put a public one, or have {_ALLOWED}")
    what = f"{app_id}'s URL can't be used, so it is not called back"
    return Finding(Severity.WARNING, what, f"tidings callback put {app_id} --url URL")


_ALLOWED: Final = "TIDINGS_CALLBACK_NETWORKS name its network, of the workers and of this command"
