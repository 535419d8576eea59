"""Where a click on what a send shows leads (CONTRACT R6)."""

from worker.contract.send_request import SendRequest


def link_of(request: SendRequest) -> str | None:
    """Return a send's redirectUrl, or its actionUrl in absence of that."""
    redirect = request.redirect_url
    return request.action_url if redirect is None else redirect
