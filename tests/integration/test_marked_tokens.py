"""Marked tokens and texts on every way through real processes: where they may be found (CONTRACT R2, R32, R64)."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from typer.testing import CliRunner

from api_adapter.cli.main import app
from tests.authorization_server import AuthorizationServer, Played, active, authorization_server
from tests.command_line import TEMPLATE
from tests.receivers import Receiver, receiver_beside
from tests.samples import send_body, send_fields
from tests.servers import HOST, TOKEN_SECRET, ApiServer, Valkey, free_port, served, valkey
from tests.stacks import get, tidings, wait_until
from worker.bootstrap import Addresses

TOKEN = "MARKED-token-7f3a"
TEXT = "MARKED-text-9b1c"
APP: str = send_fields()["appId"]
SEND = "/v2/miniprogram/message/send"
CUSTOMERS = {"good": "2088000000000001", "refused": "sim-fail-ann", "unanswered": "sim-hang-bob"}
"""Whose token it is: the wallet shows the first's messages, refuses the second's, never answers for the third's."""
LEDGER_DB, BROKER_DB = 0, 1
NETWORK = "127.0.0.0/8"
"""Where the merchant of the test is."""
PLACES = (
    "answers of the API",
    "previews of the API",
    "log of the API",
    "log of the worker",
    "log of the wallet",
    "journal of the wallet",
    "messages at the wallet",
    "callbacks at the merchant",
    "output of the commands",
    "files of the commands",
    "keys of the ledger",
    "payloads of the ledger",
    "everything else in the ledger",
    "broker",
    "commands to the broker",
    "commands to the ledger",
    "files of Redis",
)
TEXT_BELONGS = {
    "previews of the API",
    "messages at the wallet",
    "payloads of the ledger",
    "commands to the ledger",
    "files of Redis",
}
"""Where a user's text has to be: on its way to the user, and shown to who asks what would be shown."""


class Evidence:
    """Everything that was written anywhere, by place."""

    def __init__(self) -> None:
        self._found: dict[str, list[bytes]] = {place: [] for place in PLACES}

    def add(self, place: str, *texts: bytes | str) -> None:
        self._found[place] += [text.encode() if isinstance(text, str) else text for text in texts]

    def at(self, place: str) -> bytes:
        return b"\n".join(self._found[place])


def marked(whose: str = "good", **replaced: object) -> bytes:
    """Return a send whose every free text is marked."""
    texts = {
        "templates": [{"language": "en-US", "templateParameters": {"who": TEXT, "unused": TEXT}}],
        "redirectUrl": f"/{TEXT}",
        "extendInfo": TEXT,
    }
    return send_body(**{"accessToken": f"{TOKEN}-{whose}", **texts, **replaced})


REFUSED: dict[str, bytes] = {
    "no JSON": f'{{"accessToken": "{TOKEN}", "redirectUrl": "{TEXT}"'.encode(),
    "the token alone": orjson.dumps(TOKEN),
    "no text": b"\xff" + TOKEN.encode(),
    "an unknown field": orjson.dumps({TOKEN: TOKEN, TEXT: TEXT}),
    "nested": b"[" * 5_000 + TOKEN.encode(),
    "unknown token": marked("of-nobody"),
    "over-long token": marked("x" * 128),
    "token with white space": marked(" "),
    "token that is an object": marked(accessToken={TOKEN: TOKEN}),
    "token that is an array": marked(accessToken=[TOKEN]),
    "token of another app": marked(appId="another"),
    "token in other fields": send_body(
        accessToken="other", redirectUrl=TOKEN, extendInfo=TOKEN, customerBelongsTo=TOKEN
    ),
    "no parameter": marked(templates=[{"language": "en-US", "templateParameters": {f"{TEXT}?": TEXT}}]),
    "no template": marked(templateCode="NONE"),
    "no such wallet": marked(customerBelongsTo=TEXT),
    "no text of a language": marked(templates=[{"language": f"{TEXT}!", "templateParameters": {"who": TEXT}}]),
    "another content": marked(requestId="first-good", extendInfo=f"{TEXT}-other"),
    "too large": marked(extendInfo=TOKEN * 5_000),
    "far too large": marked(extendInfo=TOKEN * 100_000),
}


def ask(api: ApiServer, evidence: Evidence, path: str, body: bytes, method: str = "POST", **headers: str) -> bytes:
    """Call the API as no client of ours would, and keep the whole answer."""
    usual = {"Content-Type": "application/json", "Client-Id": "merchant-1"}
    connection = api.connection()
    try:
        with suppress(ConnectionError):  # the server hung up on a body that is too large; its answer is there
            given = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, path, body, usual | given)
        response = connection.getresponse()
        answer = response.read()
    except ConnectionError:
        return b""
    finally:
        connection.close()
    shows_texts = path.endswith(("/lint", "Preview"))
    place = "previews of the API" if shows_texts else "answers of the API"
    evidence.add(place, repr(response.getheaders()), answer)
    return answer


def send_all(api: ApiServer, evidence: Evidence) -> None:
    for whose in CUSTOMERS:
        assert b'"SUCCESS"' in ask(api, evidence, SEND, marked(whose, requestId=f"first-{whose}"))
    for name, body in REFUSED.items():
        assert b'"resultStatus":"S"' not in ask(api, evidence, SEND, body), name
    for path in (f"{SEND}?accessToken={TOKEN}", f"/{TOKEN}", f"{SEND}/{TOKEN}"):
        ask(api, evidence, path, marked(requestId="elsewhere"), Authorization=f"Bearer {TOKEN}")
    for headers in ({"Client_Id": f"{TOKEN} x"}, {"Content_Type": f"text/{TOKEN}"}, {"Signature": TOKEN}):
        ask(api, evidence, SEND, marked(requestId="with-headers"), **headers)
    ask(api, evidence, SEND, marked(), "PUT")


def call_every_operation(api: ApiServer, evidence: Evidence) -> None:
    """Give the token to every operation that there is, now or later, where it does not belong."""
    document = api.get("/openapi.json").body
    operations = [(path, method.upper()) for path, methods in document["paths"].items() for method in methods]
    assert (SEND, "POST") in operations
    for path, method in operations:
        whole = orjson.dumps(
            {"accessToken": f"{TOKEN}-good", TOKEN: TOKEN, "sends": [{"accessToken": TOKEN, "x": TEXT}]}
        )
        for body in (whole, whole[:-1], marked(appId=[TOKEN]), orjson.dumps([TOKEN]), REFUSED["far too large"]):
            ask(api, evidence, path, body, method, Content_Encoding="identity")


def break_introspection(api: ApiServer, evidence: Evidence, server: AuthorizationServer) -> None:
    for number, play in enumerate((Played(401), Played(500, TOKEN.encode()), Played(200, TOKEN.encode()), Played(302))):
        server.play = play
        assert b"UNKNOWN_EXCEPTION" in ask(api, evidence, SEND, marked(f"broken-{number}"))
    server.play = None
    server.answers[f"{TOKEN}-odd"] = active(sub={TOKEN: TEXT}, zoneinfo=TOKEN, locale=TEXT)
    assert b"UNKNOWN_EXCEPTION" in ask(api, evidence, SEND, marked("odd"))
    server.hang.clear()
    assert b"UNKNOWN_EXCEPTION" in ask(api, evidence, SEND, marked("slow"))
    server.hang.set()


class Commands:
    """`tidings` commands, each of whose words is evidence."""

    def __init__(self, addresses: Addresses, evidence: Evidence) -> None:
        self._evidence = evidence
        self._environ = {
            "TIDINGS_REDIS_URL": addresses.redis_url,
            "TIDINGS_BROKER_URL": addresses.broker_url,
            "TIDINGS_TOKEN_SECRET": TOKEN_SECRET,
        }

    def __call__(self, *arguments: str | Path, stdin: str | None = None, **settings: str) -> str:
        """Return what a command prints; its files are evidence too."""
        environ = self._environ | settings
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], stdin, environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        self._evidence.add("output of the commands", result.stdout, result.stderr)
        return result.stdout


def put_what_sends_need(run: Commands, directory: Path, gateway: str) -> None:
    template = directory / "template.yaml"
    template.write_text(TEMPLATE, encoding="utf-8")
    run("template", "put", template)
    run("wallet", "put", "GCASH", "--gateway", gateway)
    grant = ("--customer-id", CUSTOMERS["good"], "--app-id", APP, "--wallet", "GCASH")
    run("token", "put", f"{TOKEN}-good", *grant)
    run("token", "put", "-", *grant, stdin=f"{TOKEN}-piped\n")
    run("token", "put", f"{TOKEN} with white space", *grant)
    run("token", "put", "-", *grant, stdin=f"{TOKEN} {TOKEN}\n")
    file = directory / "tokens.jsonl"
    file.write_text(f'{{"accessToken": "{TOKEN}"}}\n{TOKEN}\n["{TOKEN}"]\n')
    run("token", "put", "--file", file)


def send_a_file(run: Commands, directory: Path) -> None:
    file = directory / "sends.jsonl"
    lines = [marked(requestId=f"line-{number}") for number in range(20)]
    file.write_bytes(b"\n".join([*lines, *(body for body in REFUSED.values() if b"\n" not in body)]))
    assert "20 taken" in run("send", file)


def look_at_everything(run: Commands, directory: Path) -> None:
    letters = directory / "letters.jsonl"
    for arguments in (
        ("status", "first-refused", "--app-id", APP),
        ("token", "list"),
        ("token", "list", "--json"),
        ("token", "revoke", f"{TOKEN}-piped", f"{TOKEN}-unknown"),
        ("dlq", "stats"),
        ("dlq", "ls"),
        ("dlq", "show", "first-refused", "--app-id", APP),
        ("dlq", "export", "--output", letters),
        ("ledger", "check"),
        ("doctor",),
    ):
        run(*arguments)
    assert letters.read_bytes()


@contextmanager
def monitored(store: Valkey, into: Path) -> Iterator[None]:
    """Write down every command that the server gets."""
    with socket.create_connection((HOST, store.port)) as connection, into.open("wb") as file:
        connection.sendall(b"MONITOR\r\n")

        def listen() -> None:
            with suppress(OSError):
                while part := connection.recv(1 << 20):
                    file.write(part)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            thread.join()


def read_redis(store: Valkey, evidence: Evidence) -> None:
    """Keep the names and contents of all keys."""
    for db, place in ((LEDGER_DB, "everything else in the ledger"), (BROKER_DB, "broker")):
        with redis.Redis(port=store.port, db=db) as client:
            for key in client.scan_iter(count=1000):
                content = repr(content_of(client, key)).encode()
                if db == BROKER_DB:
                    evidence.add(place, key, content)
                    continue
                evidence.add("keys of the ledger", key)
                evidence.add("payloads of the ledger" if b":payload:" in key else place, content)


def content_of(client: "redis.Redis", key: bytes) -> Any:  # noqa: ANN401 - whatever Redis keeps
    match client.type(key):
        case b"string":
            return client.get(key)
        case b"hash":
            return client.hgetall(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"set":
            return client.smembers(key)
        case b"zset":
            return client.zrange(key, 0, -1, withscores=True)
        case b"stream":
            return client.xrange(key)
        case kind:
            raise AssertionError(f"a kind of key that nobody looks into: {kind!r}")


def read_files(evidence: Evidence, directory: Path, store: Valkey, commands_seen: Path) -> None:
    evidence.add("journal of the wallet", (directory / "journal.jsonl").read_bytes())
    evidence.add(
        "files of the commands", *((directory / name).read_bytes() for name in ("letters.jsonl", "sends.results.jsonl"))
    )
    evidence.add("files of Redis", *(file.read_bytes() for file in store.data.rglob("*.aof")))
    for line in commands_seen.read_bytes().splitlines():
        of_broker = f" [{BROKER_DB} ".encode() in line[:40]
        evidence.add("commands to the broker" if of_broker else "commands to the ledger", line)


def settled(store: Valkey) -> bool:
    """Say whether the wallet answered for what it answers for, a dead letter is there, and its merchant was told."""
    with redis.Redis(port=store.port) as client:
        dead = [one for key in client.scan_iter("tidings:*:dead", count=1000) for one in client.zrange(key, 0, -1)]
        told = (
            client.hget(key, "cbs") for one in dead for key in client.scan_iter(f"tidings:*:message:{one.decode()}")
        )
        return any(state and b"|D|" in state for state in told)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Send everything everywhere, once."""
    directory = tmp_path_factory.mktemp("marked")
    found = Evidence()
    environ = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("TIDINGS_")}
    try:
        with valkey(directory / "store") as store, authorization_server() as server, receiver_beside() as merchant:
            store.start()
            send_everything(found, directory, store, server, merchant)
    finally:
        os.environ.update(environ)
    return found


def send_everything(
    found: Evidence, directory: Path, store: Valkey, server: AuthorizationServer, merchant: Receiver
) -> None:
    addresses = Addresses(store.url, f"redis://{HOST}:{store.port}/{BROKER_DB}")
    run, gateway_port = Commands(addresses, found), free_port()
    secret = server.environment(directory)["TIDINGS_INTROSPECTION_SECRET_FILE"]
    ours = {"redis_url": addresses.redis_url, "broker_url": addresses.broker_url, "log_level": "debug"}
    introspection = {
        "introspection_url": server.url,
        "introspection_secret_file": secret,
        "introspection_timeout": 300,
        "breaker_failures": 100,
    }
    server.answers |= {f"{TOKEN}-{whose}": active(sub=customer) for whose, customer in CUSTOMERS.items()}
    with monitored(store, directory / "commands"):
        put_what_sends_need(run, directory, f"http://{HOST}:{gateway_port}")
        run("callback", "put", APP, "--url", f"http://{HOST}:{merchant.port}/", TIDINGS_CALLBACK_NETWORKS=NETWORK)
        with served(directory / "api", **ours, **introspection) as api:  # type: ignore[arg-type]
            send_all(api, found)
            call_every_operation(api, found)
            break_introspection(api, found, server)
            send_a_file(run, directory)
            read_redis(store, found)
            deliver(found, directory, store, gateway_port, ours | {"token_secret": TOKEN_SECRET})
            found.add("callbacks at the merchant", *(repr(request) for request in merchant.received))
            read_redis(store, found)
            for path in ("/metrics", "/readyz", "/openapi.json"):
                ask(api, found, path, b"", "GET")
            look_at_everything(run, directory)
        found.add("log of the API", api.command.stdout, api.command.stderr)
    read_files(found, directory, store, directory / "commands")


def deliver(found: Evidence, directory: Path, store: Valkey, gateway_port: int, ours: Mapping[str, object]) -> None:
    """Let a worker deliver until the wallet has shown, refused and not answered; the wallet never answers for one."""
    (directory / "gateway").mkdir()
    journal = directory / "journal.jsonl"
    hasty = {"call_timeout": 500, "lease": 3_000, "max_tries": 2, "backoff_base": 50, "callback_networks": NETWORK}
    with tidings(directory / "gateway", "gateway", "--journal", str(journal), gateway_port=gateway_port) as gateway:
        gateway.until_printed("gateway_simulator_ready")
        with tidings(directory / "worker", "worker", **ours, **hasty) as worker:
            wait_until(lambda: settled(store), "messages are delivered, refused and given up, and their merchant knows")
        found.add("messages at the wallet", str(get(f"http://{HOST}:{gateway_port}/deliveries")))
        found.add("log of the worker", worker.stdout, worker.stderr)
    found.add("log of the wallet", gateway.stdout, gateway.stderr)


@pytest.mark.parametrize("place", PLACES)
def test_R2_R64_no_token_is_in(evidence: Evidence, place: str) -> None:
    assert evidence.at(place)
    assert TOKEN.encode() not in evidence.at(place)


@pytest.mark.parametrize("place", PLACES)
def test_R32_a_users_text_is_on_its_way_to_the_user_and_nowhere_else_such_as(evidence: Evidence, place: str) -> None:
    assert (TEXT.encode() in evidence.at(place)) == (place in TEXT_BELONGS)
