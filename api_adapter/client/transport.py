"""How both faces of the client use HTTP."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from pyreqwest.client import ClientBuilder, SyncClientBuilder
from pyreqwest.exceptions import BuilderError
from pyreqwest.response import BaseResponse

from api_adapter.client.errors import AccessError

_CONNECT_TIMEOUT = timedelta(seconds=5)
_READ = ("client-id", "response-time", "signature", "retry-after")

Built = TypeVar("Built")
Builder = TypeVar("Builder", ClientBuilder, SyncClientBuilder)


def configured(builder: Builder) -> Builder:
    """Return what makes an HTTP client of ours."""
    return (
        builder.connect_timeout(_CONNECT_TIMEOUT)
        .follow_redirects(enable=False)
        # What is signed is the answer as it was sent.
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .user_agent("tidings-client")
    )


def built(build: Callable[[], Built]) -> Built:
    """Return an HTTP client; raise AccessError where nobody could be trusted."""
    try:
        return build()
    except BuilderError as error:
        raise AccessError(
            "no certificate of an authority can be read, so no server could be trusted: "
            "SSL_CERT_FILE and SSL_CERT_DIR, where they are set, have to name some"
        ) from error


def headers_of(response: BaseResponse) -> Mapping[str, str]:
    """Return the headers that an exchange reads."""
    found = {name: response.get_header(name) for name in _READ}
    return {name: value for name, value in found.items() if value is not None}
