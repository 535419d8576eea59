"""The API on the front desk's fakes, over real HTTP on loopback, with a network that a test harms call by call."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

from api_adapter.answer_signatures import SignedAnswers
from api_adapter.authentication import SignatureCheck
from api_adapter.client import Access
from tests.asgi_calls import Answer, Call, exchange
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.keys import public_pem, signer
from worker.clock import SystemClock
from worker.contract.clients import ClientKey, RegisteredClient

PREFIX = "/api/open"


class Harm(StrEnum):
    """What becomes of one call."""

    ANSWER_LOST = "the API did it, the answer never comes"
    CALL_LOST = "the API never heard of it"
    BUSY = "a proxy answers 503"
    BUSY_FOR_LONG = "a proxy answers 503 and asks to wait beyond any patience"
    GARBAGE = "the answer is no JSON"
    TAMPERED = "somebody changes the signed answer"
    UNSIGNED = "somebody answers without the server's key"
    UNKNOWN = "the store is away: U"
    TOO_FAST = "refused for its rate, with Retry-After"
    TOO_FAST_FOR_LONG = "the same, beyond any patience"


_WAITS = {Harm.BUSY: "0", Harm.BUSY_FOR_LONG: "3600", Harm.TOO_FAST: "1", Harm.TOO_FAST_FOR_LONG: "3600"}


class HarmedApi:
    """The server; what it did to each call is in `seen`."""

    def __init__(self, desk: FrontDesk) -> None:
        """Sign with the key `server`, and take nothing but what `CLIENT` signed with the key `merchant`."""
        self.desk = desk
        desk.clock = SystemClock()  # type: ignore[assignment]  # signatures are judged by the time of the caller
        key = ClientKey(1, public_pem("merchant"))
        desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP}), (key,))
        desk.require(SignatureCheck(desk.clock, 300_000))
        desk.answer_headers = SignedAnswers(signer("server", 7), desk.clock)
        self.harms: deque[Harm | None] = deque()
        """One a call, in order; None, or no more: it is left alone."""
        self.seen: list[tuple[str, bytes]] = []
        """Path and body of each call."""
        self.signatures: list[str] = []
        self._app = desk.app(PREFIX)
        self._one_by_one = threading.Lock()
        self.url = ""

    def access(self, **replaced: object) -> Access:
        """Return what the client calls with."""
        whole: dict[str, object] = {
            "url": self.url,
            "client_id": CLIENT,
            "signer": signer("merchant"),
            "server_keys": {7: public_pem("server")},
        }
        return Access(**whole | replaced)  # type: ignore[arg-type]  # a test says what it replaces

    def answer(self, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer | None:
        """Answer a call as its harm has it; None: hang up."""
        with self._one_by_one:
            self.seen.append((path, body))
            self.signatures += [value for name, value in headers if name.lower() == "signature"]
            harm = self.harms.popleft() if self.harms else None
            if harm is Harm.CALL_LOST:
                return None
            if harm is not None and harm in _WAITS:
                return self._later(path, harm)
            self.desk.ledger.away = harm is Harm.UNKNOWN
            found = exchange(self._app, Call(path, [body], headers=headers))
            return None if harm is Harm.ANSWER_LOST else _harmed(found, harm)

    def _later(self, path: str, harm: Harm) -> Answer:
        if harm in {Harm.BUSY, Harm.BUSY_FOR_LONG}:
            return Answer(503, {"Retry-After": _WAITS[harm]}, b"busy")
        body = b'{"result":{"resultCode":"REQUEST_TRAFFIC_EXCEED_LIMIT","resultStatus":"F","resultMessage":"slower"}}'
        signed = self.desk.answer_headers("POST", path, {"client-id": CLIENT}, body)
        return Answer(200, {**signed, "Retry-After": _WAITS[harm]}, body)


def _harmed(answer: Answer, harm: Harm | None) -> Answer:
    if harm is Harm.GARBAGE:
        return Answer(200, {}, b"<html>")
    if harm is Harm.TAMPERED:
        return Answer(answer.status, answer.headers, answer.body.replace(b'"S"', b'"F"'))
    if harm is Harm.UNSIGNED:
        return Answer(answer.status, {}, answer.body)
    return answer


@contextmanager
def harmed_api(desk: FrontDesk) -> Iterator[HarmedApi]:
    """Serve for the length of the block."""
    api = HarmedApi(desk)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = api.answer(self.path, list(self.headers.items()), body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        @override
        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}{PREFIX}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
