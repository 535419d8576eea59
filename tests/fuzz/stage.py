"""The servers that are fuzzed: real ones, on a ledger that knows what the samples need."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.front_desk import APP, CLIENT, TOKEN, grant, payment_notice, wallet
from tests.fuzz.inputs import Inputs, Sign
from tests.fuzz.running import Target
from tests.fuzz.surface import Surface
from tests.fuzz.wire import Headers
from tests.keys import private_pem, public_pem
from tests.servers import HOST, TOKEN_SECRET, ApiServer, served
from tests.stacks import children
from worker.bootstrap import Addresses, services
from worker.clock import SystemClock
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.identity import message_id
from worker.settings import Settings
from worker.signatures import Signer, signed_content

_REQUEST_IDS = [f"r{number}" for number in range(50)]
KNOWN: dict[str, list[Any]] = {
    "appId": [APP, APP, APP, "another"],
    "accessToken": [TOKEN, TOKEN, TOKEN, "token-of-nobody"],
    "requestId": _REQUEST_IDS,
    "messageId": [message_id(APP, request_id) for request_id in _REQUEST_IDS],
    "templateCode": ["PAYMENT_NOTICE", "PAYMENT_NOTICE", "NONE"],
    "language": ["en-US", "en_us", "ja-JP", "fr"],
    "parameter": ["who", "who", "amount", "other", "ü"],
    "customerBelongsTo": ["GCASH", "TNG"],
    "redirectUrl": ["/pages/1"],
    "templates": [[{"language": "en-US", "templateParameters": {"who": "X"}}], [{"templateParameters": {"who": "客"}}]],
    "extendInfo": [None, "{}", "x"],
    "actionUrl": [None, "/a"],
    "sendAt": [None, "2020-01-01T00:00:00Z", "2099-01-01T00:00:00+08:00", 0],
    "expireAt": [None, "2020-01-01T00:00:00Z", "2099-01-02T00:00:00Z", 4_102_444_800_000],
    "part": [str(number) for number in range(1, 5)],
    "batchId": [f"b{number}" for number in range(10)],
}
"""Values that mean something, by the name of their field."""


class Served(NamedTuple):
    """A server that is fuzzed."""

    name: str
    api: ApiServer
    sign: Sign | None

    def target(self, seed: int) -> Target:
        """Return where the inputs of a seed go."""
        (pid,) = children(self.api.command.process.pid)
        surface = Surface(self.api.get("/openapi.json").body)
        return Target(HOST, self.api.port, pid, Inputs(surface, KNOWN, seed, self.sign))

    @property
    def complaints(self) -> list[str]:
        """The lines of its log that say that something broke."""
        lines = self.api.command.stderr.splitlines()
        return [line for line in lines if "request_failed" in line or '"error"' in line or "Traceback" in line]


@contextmanager
def stage(redis_url: str, directory: Path) -> Iterator[list[Served]]:
    """Serve twice on one ledger: for whoever calls, and for signed requests alone."""
    asyncio.run(_furnish(redis_url))
    key = directory / "server.pem"
    key.write_bytes(private_pem("server"))
    signed: dict[str, Any] = {"signatures": "required", "signing_key_file": key}
    with served(directory / "plain", redis_url) as plain, served(directory / "signed", redis_url, **signed) as strict:
        yield [Served("plain", plain, None), Served("signed", strict, _signs())]


async def _furnish(redis_url: str) -> None:
    settings = Settings(redis_url=redis_url, token_secret=TOKEN_SECRET)
    async with services(settings, Addresses(redis_url, redis_url)) as found:
        await found.ledger.open()
        await found.users.put([(TOKEN, grant())])
        await found.wallets.put(wallet())
        await found.templates.put(payment_notice())
        key = ClientKey(1, public_pem("merchant"))
        merchant = RegisteredClient(CLIENT, frozenset({APP}), (key,))
        await found.clients.change(CLIENT, lambda _: merchant)


def _signs() -> Sign:
    signer, clock = Signer(private_pem("merchant"), 1), SystemClock()

    def sign(method: bytes, path: bytes, body: bytes) -> Headers:
        time = str(clock.now())
        content = signed_content(path.decode("latin-1"), CLIENT, time, body, method.decode())
        return [(b"Request-Time", time.encode()), (b"Signature", signer.header(content).encode())]

    return sign
