"""Asks the authorization server: `POST` of a form, RFC 7662, section 2.1. The token travels in the body alone."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote_plus

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, PyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from worker.adapters.introspection.errors import NotIntrospectedError, ServerTroubleError
from worker.contract.errors import SettingsError

_CONNECT_TIMEOUT = timedelta(seconds=3)
_LARGEST_ANSWER = 64 * 1024
_LONGEST_PAUSE = 60_000
"""Milliseconds that a Retry-After is believed."""
_OF_THE_TOKEN = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Answers that may be due to the token that was asked about: no caller can take the server away from the others."""
_OF_OURS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What we show the authorization server."""

    client_id: str
    """Empty: the secret is a bearer token."""
    secret: str

    @property
    def header(self) -> str:
        """The Authorization header: Basic (RFC 6749, section 2.3.1) or Bearer (RFC 6750)."""
        if not self.client_id:
            return f"Bearer {self.secret}"
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return f"Basic {b64encode(pair.encode()).decode()}"


class IntrospectionClient:
    """One client, and so one pool of connections, a process. Connects at the first call."""

    def __init__(self, url: str, credentials: Credentials, timeout: int, calls: int) -> None:
        """Make the client; `timeout` is in milliseconds and bounds a call in all, `calls` are made at once at most.

        Raises SettingsError where nobody could be trusted.
        """
        self._url = url
        self._timeout = timeout
        builder = (
            ClientBuilder()
            .timeout(timedelta(milliseconds=timeout))
            .connect_timeout(min(_CONNECT_TIMEOUT, timedelta(milliseconds=timeout)))
            .pool_max_idle_per_host(calls)
            .follow_redirects(enable=False)
            .no_proxy()
            .user_agent("tidings")
            .default_headers({"Accept": "application/json", "Authorization": credentials.header})
        )
        try:
            self._client: Client = builder.build()
        except BuilderError as error:
            raise SettingsError(
                "no certificate of an authority can be read, so the authorization server could not be trusted: "
                "SSL_CERT_FILE and SSL_CERT_DIR, where they are set, have to name some"
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, token: str) -> bytes:
        """Return the server's answer about a token; raise NotIntrospectedError where there is none."""
        form = [("token", token), ("token_type_hint", "access_token")]
        try:
            async with self._client.post(self._url).form(form).build_streamed() as response:
                self._check(response)
                return await _body(response)
        except RequestTimeoutError:
            raise ServerTroubleError(f"the authorization server did not answer within {self._timeout} ms") from None
        except PyreqwestError as error:
            kind = type(error).__name__
            raise ServerTroubleError(f"the authorization server can't be reached, or broke off ({kind})") from None

    def _check(self, response: Response) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        if status in _OF_THE_TOKEN:
            raise NotIntrospectedError(f"the authorization server answered HTTP {status} to an introspection")
        if status in _OF_OURS:
            raise ServerTroubleError(
                f"the authorization server refuses us (HTTP {status}): mend TIDINGS_INTROSPECTION_CLIENT_ID and "
                "TIDINGS_INTROSPECTION_SECRET_FILE, or what it lets this client do"
            )
        raise ServerTroubleError(
            f"HTTP {status} came from TIDINGS_INTROSPECTION_URL", _pause(response.get_header("retry-after"))
        )


async def _body(response: Response) -> bytes:
    body = b""
    while chunk := await response.body_reader.read_chunk():
        body += bytes(chunk)
        if len(body) > _LARGEST_ANSWER:
            raise NotIntrospectedError(f"the introspection answer is larger than {_LARGEST_ANSWER} bytes")
    return body


def _pause(retry_after: str | None) -> int | None:
    """Return the milliseconds of a Retry-After in seconds; a date is not worth reading for so short a pause."""
    if retry_after is None or not retry_after.isdecimal():
        return None
    return min(int(retry_after[:6]) * 1000, _LONGEST_PAUSE) or None
