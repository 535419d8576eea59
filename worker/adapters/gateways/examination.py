"""Whether a gateway can be called: connected to as a worker does, with TLS and the same trust, and sent nothing."""

import os
from pathlib import Path
from typing import Final

from worker.adapters.http_calls.client import CONNECT_SECONDS, HttpClient
from worker.adapters.http_calls.errors import HostNotFoundError, NeverSentError, UntrustedCertificateError
from worker.contract.findings import Finding, Severity
from worker.contract.users import GatewayRoute

_AWAY: Final = "see docs/runbooks/gateway-away.md; messages wait for it meanwhile"
_FILE: Final = "SSL_CERT_FILE"
_NOT_ITS_AUTHORITY: Final = (
    "certificate has expired",
    "certificate is not yet valid",
    "Hostname mismatch",
    "IP address",
)
"""How texts of OpenSSL begin, where no other trust would help."""


async def gateway_finding(route: GatewayRoute) -> Finding:
    """Return what is right or wrong with a gateway, as this process's environment has its trust."""
    client = HttpClient(CONNECT_SECONDS)
    try:
        await client.connect(route.url)
    except UntrustedCertificateError as error:
        what = f"{route.name} has no certificate that is trusted at {route.url}: {error}"
        return Finding(Severity.ERROR, what, _trust_advice(str(error)))
    except HostNotFoundError as error:
        return Finding(Severity.ERROR, f"{route.name} can't be found at {route.url}: {error}", _AWAY)
    except NeverSentError as error:
        what = f"{route.name} takes no connection at {route.url}: {error} ({type(error).__name__})"
        return Finding(Severity.ERROR, what, _AWAY)
    finally:
        await client.close()
    trusted = ", and its certificate is trusted" if route.url.startswith("https:") else ""
    return Finding(Severity.OK, f"{route.name} takes connections{trusted}")


def _trust_advice(reason: str) -> str:
    if reason.startswith(_NOT_ITS_AUTHORITY):
        return "whoever runs the gateway has to mend that, or the URL names another host; messages wait meanwhile"
    named = os.environ.get(_FILE)
    if named and not Path(named).is_file():
        return f"{_FILE} names {named}, which is no file here; messages wait meanwhile"
    return f"if it is the right one, add its authority to the file {_FILE} of the workers, see docs/settings.md"
