"""`tidings callback receive`: a receiver that verifies callbacks and prints them, for trying them out."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typing_extensions import override

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import told
from api_adapter.cli.saying import say_aside
from api_adapter.listening import place_of, told_where
from api_adapter.stack.ports import url_of
from worker.callbacks.secrets import UnusableSecretError, checked_secret

if TYPE_CHECKING:
    from api_adapter.client import CallbackVerifier

EPILOG = (
    "Example, against `tidings dev` on this machine:\n\n"
    "tidings callback put sandbox-app --url http://127.0.0.1:9000/\n\n"
    "tidings callback rotate sandbox-app | sed -n 's/^secret: //p' > secret\n\n"
    "tidings callback receive --secret-file secret\n\n"
    "tidings callback test sandbox-app    (in another terminal)\n\n"
    "`tidings callback` and the workers need TIDINGS_CALLBACK_NETWORKS=127.0.0.0/8 for that: export it before "
    "`tidings dev`, too."
)
_LONGEST_BODY = 65_536
_OK, _REFUSED, _TOO_LONG = 204, 401, 413


def receive(
    *,
    secret_file: Annotated[Path, typer.Option(help="File with the secret that `put` or `rotate` printed.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: a free one.")] = 9000,
) -> None:
    """Receive callbacks: print one JSON a line of what is verified, refuse what is not; until Ctrl-C.

    A merchant's own receiver does the same: verify the raw body, note the webhook-id, answer 2xx.
    """
    with told():
        from api_adapter.client import CallbackVerifier  # noqa: PLC0415 - no other command needs it

        with listening(host, port, CallbackVerifier(_secret(secret_file))) as server:
            say_aside(f"listening on {url_of(host, server.server_port)}/")
            server.serve_forever()


def _secret(file: Path) -> str:
    try:
        return checked_secret(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeError):
        raise ArgumentError("--secret-file: can't be read; give a file with a secret such as whsec_...") from None
    except UnusableSecretError as error:
        raise ArgumentError(f"--secret-file: {error}") from None


def listening(host: str, port: int, verifier: "CallbackVerifier") -> ThreadingHTTPServer:
    """Return what receives callbacks there; raise AddressError where it can't listen."""
    with told_where(host, port):
        family, address = place_of(host, port)

        class Server(ThreadingHTTPServer):
            address_family = family

        return Server(address, _handler(verifier))


def _handler(verifier: "CallbackVerifier") -> type[BaseHTTPRequestHandler]:
    from api_adapter.client import UntrustedCallbackError  # noqa: PLC0415 - as above

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            """Verify a callback and print it."""
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _LONGEST_BODY:
                self.close_connection = True
                self._answer(_TOO_LONG)
                return
            body = self.rfile.read(int(length))
            try:
                verifier.verify(dict(self.headers), body)
            except UntrustedCallbackError as error:
                say_aside(f"refused: {error}")
                self._answer(_REFUSED)
                return
            sys.stdout.write(body.decode() + "\n")
            sys.stdout.flush()
            self._answer(_OK)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Print nothing but callbacks."""

    return Handler
