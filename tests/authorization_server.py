"""An authorization server that tells what access tokens grant (RFC 7662), for tests; a real one over real sockets."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson
from typing_extensions import override

INACTIVE = {"active": False}
PATIENCE = 60.0


class Asked(NamedTuple):
    """One call."""

    method: str
    path: str
    authorization: str
    content_type: str
    form: dict[str, list[str]]


class Played(NamedTuple):
    """An answer that is not an introspection."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody writes to it


class AuthorizationServer:
    """Answers from `answers`, unless something is played instead; a test may change both at any time."""

    def __init__(self) -> None:
        """Begin with no token that is active."""
        self.url = ""
        self.answers: dict[str, dict[str, Any]] = {}
        self.asked: deque[Asked] = deque()
        self.play: Played | None = None
        self.hang = threading.Event()
        self.hang.set()

    def environment(self, directory: Path) -> dict[str, str]:
        """Return settings that have this server asked as the client `tidings` with the secret `s3cr3t`."""
        secret = directory / "introspection-secret"
        secret.write_text("s3cr3t\n")
        return {
            "TIDINGS_INTROSPECTION_URL": self.url,
            "TIDINGS_INTROSPECTION_CLIENT_ID": "tidings",
            "TIDINGS_INTROSPECTION_SECRET_FILE": str(secret),
        }

    def answer(self, asked: Asked) -> Played:
        """Return the answer to a call."""
        self.asked.append(asked)
        self.hang.wait(PATIENCE)
        if self.play is not None:
            return self.play
        (token,) = asked.form["token"]
        return Played(200, orjson.dumps(self.answers.get(token, INACTIVE)), {"Content-Type": "application/json"})


def active(**members: object) -> dict[str, Any]:
    """Return what a server says of a token of the samples' user and app."""
    whole = {
        "active": True,
        "sub": "2088000000000001",
        "wallet": "GCASH",
        "client_id": "3333010071465913",
        "scope": "SEND_MESSAGE",
    }
    return {name: value for name, value in (whole | members).items() if value is not None}


@contextmanager
def authorization_server() -> Iterator[AuthorizationServer]:
    """Give a server that listens on a port of its own, in threads."""
    found = AuthorizationServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            kind, authorization = self.headers["Content-Type"], self.headers.get("Authorization", "")
            status, body, headers = found.answer(Asked("POST", self.path, authorization, kind, form))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        @override
        def handle_error(self, request: object, client_address: object) -> None:
            """Stay silent about callers who did not wait."""

    with Server(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/introspect"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            found.hang.set()
            server.shutdown()
            thread.join()
