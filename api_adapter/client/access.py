"""Which API is called, and as whom: URL, Client-Id, the client's private key and the server's public ones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from api_adapter.client.errors import AccessError
from worker.contract.clients import PLAIN_CLIENT_ID
from worker.signatures import Signer, UnusableKeyError, normal_public_key

_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that a call is made with.

    Raises AccessError for what can't be used.

    >>> Access("https://api.example/api/open/", "merchant-1").path
    '/api/open'
    """

    url: str
    """Of the API, with its prefix if it has one: `https://api.example/api/open`."""
    client_id: str
    signer: Signer | None = field(default=None, repr=False)
    """None: requests are not signed, for an API in a private network that asks for none."""
    server_keys: Mapping[int, bytes | str] = field(default_factory=dict, repr=False)
    """The server's public keys (PEM) by keyVersion; where there are any, only answers that they signed are believed."""
    skew: int = 300_000
    """Most milliseconds between an answer's Response-Time and this machine's clock."""

    def __post_init__(self) -> None:
        """Bring everything into its one form."""
        object.__setattr__(self, "url", _base_url(self.url))
        object.__setattr__(self, "server_keys", {number: _public(key) for number, key in self.server_keys.items()})
        if not PLAIN_CLIENT_ID.fullmatch(self.client_id):
            raise AccessError("client_id: must be 1 to 128 printable ASCII characters, no white space")

    @property
    def path(self) -> str:
        """The URL's path, before which of an operation it is signed (R24)."""
        return urlsplit(self.url).path


def _base_url(text: str) -> str:
    url = _split(text.rstrip("/"))
    if url is None or url.scheme not in {"http", "https"} or not url.hostname:
        raise AccessError("url: must be that of the API, such as https://api.example or https://api.example/api/open")
    if url.query or url.fragment or url.username is not None or not _PLAIN_PATH.fullmatch(url.path):
        # The path is signed as it is written, so nothing may be in it that an HTTP library would spell otherwise.
        raise AccessError("url: must have a plain path, and no user, query or fragment")
    return url.geturl()


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return None
    return None if port == 0 else url


def _public(key: bytes | str) -> str:
    try:
        return normal_public_key(key.encode() if isinstance(key, str) else key)
    except UnusableKeyError as error:
        raise AccessError(f"server_keys: {error}") from None
