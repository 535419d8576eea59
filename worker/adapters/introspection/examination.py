"""Whether the authorization server answers as it should: asked about a token that nobody was given."""

import secrets
from urllib.parse import urlsplit

from worker.adapters.introspection.answers import AnswerReader
from worker.adapters.introspection.client import IntrospectionClient
from worker.adapters.introspection.errors import NotIntrospectedError
from worker.contract.findings import Finding, Severity

_ADVICE = "see docs/runbooks/authorization-server-away.md"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def introspection_finding(url: str, client: IntrospectionClient, reader: AnswerReader) -> Finding:
    """Return what is right or wrong."""
    try:
        granted = reader.read(await client.ask(secrets.token_urlsafe()))
    except NotIntrospectedError as error:
        return Finding(Severity.ERROR, str(error), _ADVICE)
    if granted is not None:
        return Finding(Severity.ERROR, "the authorization server says of a token that nobody has that it is active")
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        advice = "use https in TIDINGS_INTROSPECTION_URL (RFC 7662, section 4)"
        return Finding(Severity.WARNING, "tokens travel to the authorization server in the clear", advice)
    return Finding(Severity.OK, "the authorization server answers")
