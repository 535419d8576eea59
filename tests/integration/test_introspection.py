"""Token introspection over real HTTP (RFC 7662), and what intake makes of it (CONTRACT R31, R37, R50, R64)."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from api_adapter.clients import Clients
from api_adapter.intake import Intake
from api_adapter.wiring import make_intake
from tests.authorization_server import AuthorizationServer, Played, active, authorization_server
from tests.command_line import CommandLine
from tests.fakes.hints import FakeHints
from tests.front_desk import CLIENT, payment_notice, wallet
from tests.samples import send_body
from worker.adapters.introspection.client import Credentials, IntrospectionClient
from worker.adapters.introspection.errors import NotIntrospectedError, ServerTroubleError
from worker.bootstrap import Addresses, introspection_finding, services, token_resolver
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import SettingsError
from worker.contract.findings import Severity
from worker.contract.messages import Lane
from worker.settings import Settings

Outcome = TypeVar("Outcome")
TOKEN = "token-MARKED-as-secret"
MARK = "MARKED"


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with authorization_server() as found:
        yield found


def ask(server: AuthorizationServer, credentials: Credentials, token: str = TOKEN, timeout: int = 60_000) -> bytes:
    async def main() -> bytes:
        client = IntrospectionClient(server.url, credentials, timeout, calls=4)
        try:
            return await client.ask(token)
        finally:
            await client.close()

    return asyncio.run(main())


def test_a_call_is_a_form_with_the_token_and_what_kind_it_is(server: AuthorizationServer) -> None:
    server.answers["a&b=c+d e%é"] = active()

    body = ask(server, Credentials("tidings", "s3cr3t"), "a&b=c+d e%é")

    (asked,) = server.asked
    assert json.loads(body) == active()
    assert asked.path == "/introspect"
    assert asked.content_type == "application/x-www-form-urlencoded"
    assert asked.form == {"token": ["a&b=c+d e%é"], "token_type_hint": ["access_token"]}


@pytest.mark.parametrize(
    ("client_id", "secret", "pair"),
    [("tidings", "s3cr3t", "tidings:s3cr3t"), ("a:b", "c d/é", "a%3Ab:c+d%2F%C3%A9")],
)
def test_a_client_with_a_name_is_known_by_basic_authentication(
    server: AuthorizationServer, client_id: str, secret: str, pair: str
) -> None:
    ask(server, Credentials(client_id, secret))

    kind, _, value = server.asked[0].authorization.partition(" ")
    assert (kind, b64decode(value).decode()) == ("Basic", pair)


def test_a_client_without_a_name_shows_a_bearer_token(server: AuthorizationServer) -> None:
    ask(server, Credentials("", "s3cr3t"))

    assert server.asked[0].authorization == "Bearer s3cr3t"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_answer_that_the_token_may_be_the_cause_of_is_no_trouble_of_the_server(
    server: AuthorizationServer, status: int
) -> None:
    server.play = Played(status, MARK.encode())

    with pytest.raises(NotIntrospectedError, match=f"HTTP {status}") as unanswered:
        ask(server, Credentials("tidings", "s3cr3t"))

    assert not isinstance(unanswered.value, ServerTroubleError)
    assert MARK not in str(unanswered.value)


@pytest.mark.parametrize(
    ("played", "text", "asked"),
    [
        (Played(401), r"refuses us \(HTTP 401\): mend TIDINGS_INTROSPECTION_CLIENT_ID", None),
        (Played(403), r"refuses us \(HTTP 403\)", None),
        (Played(404), "HTTP 404 came from TIDINGS_INTROSPECTION_URL", None),
        (Played(302, headers={"Location": "/elsewhere"}), "HTTP 302", None),
        (Played(500, MARK.encode()), "HTTP 500", None),
        (Played(503, headers={"Retry-After": "7"}), "HTTP 503", 7_000),
        (Played(429, headers={"Retry-After": "9" * 30}), "HTTP 429", 60_000),
        (Played(503, headers={"Retry-After": "0"}), "HTTP 503", None),
        (Played(503, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), "HTTP 503", None),
        (Played(200, headers={"Content-Length": "9", "Connection": "close"}), "broke off", None),
    ],
)
def test_trouble_of_the_server_says_what_it_is_and_how_long_to_wait(
    server: AuthorizationServer, played: Played, text: str, asked: int | None
) -> None:
    server.play = played

    with pytest.raises(ServerTroubleError, match=text) as trouble:
        ask(server, Credentials("tidings", "s3cr3t"), timeout=2_000)

    assert trouble.value.asked == asked
    assert MARK not in str(trouble.value)


def test_a_server_that_does_not_answer_in_time_is_given_up(server: AuthorizationServer) -> None:
    server.hang.clear()

    with pytest.raises(ServerTroubleError, match=r"^the authorization server did not answer within 50 ms$"):
        ask(server, Credentials("tidings", "s3cr3t"), timeout=50)


def test_a_server_that_never_ends_its_answer_is_given_up(server: AuthorizationServer) -> None:
    server.play = Played(200, b"{", headers={"Content-Length": "9"})

    with pytest.raises(ServerTroubleError, match="did not answer within 50 ms"):
        ask(server, Credentials("tidings", "s3cr3t"), timeout=50)


def test_a_server_that_is_not_there_is_told() -> None:
    nowhere = AuthorizationServer()
    nowhere.url = "http://127.0.0.1:9/introspect"

    with pytest.raises(ServerTroubleError, match="can't be reached") as trouble:
        ask(nowhere, Credentials("tidings", "s3cr3t"))

    assert MARK not in str(trouble.value)


@pytest.mark.parametrize(("size", "is_read"), [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_an_answer_may_have_64_kib(server: AuthorizationServer, size: int, is_read: bool) -> None:  # noqa: FBT001
    server.play = Played(200, b"x" * size)

    if is_read:
        assert len(ask(server, Credentials("tidings", "s3cr3t"))) == size
    else:
        with pytest.raises(NotIntrospectedError, match="larger than 65536 bytes"):
            ask(server, Credentials("tidings", "s3cr3t"))


class Desk:
    """A process that takes sends whose tokens an authorization server knows."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def take(self, **replaced: object) -> Result:
        """Return the answer to the samples' send with some fields replaced."""
        body = send_body(**{"accessToken": TOKEN, **replaced})
        (answer,) = await self._intake.take({"client-id": CLIENT}, [body], Lane.SINGLE)
        return answer.result


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Desk]:
    address = settings.redis_url
    async with services(settings, Addresses(address, address)) as found, token_resolver(found) as users:
        await found.ledger.open()
        await found.wallets.put(wallet())
        await found.templates.put(payment_notice())
        yield Desk(make_intake(found, Clients(found.clients, {}), users, FakeHints()))


@pytest.fixture
def settings(redis_url: str, server: AuthorizationServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in server.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Settings(redis_url=redis_url, breaker_failures=1, introspection_ttl=1)


def at_desk(settings: Settings, story: Callable[[Desk], Awaitable[Outcome]]) -> Outcome:
    async def tell() -> Outcome:
        async with opened(settings) as desk:
            return await story(desk)

    return asyncio.run(tell())


def test_R64_a_send_is_taken_for_the_user_whom_the_server_names(
    settings: Settings, server: AuthorizationServer
) -> None:
    server.answers[TOKEN] = active()

    assert at_desk(settings, lambda desk: desk.take()).code is ResultCode.SUCCESS


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"active": False}, ResultCode.INVALID_ACCESS_TOKEN),
        ({"client_id": "another-app"}, ResultCode.INVALID_ACCESS_TOKEN),
        ({"exp": 1}, ResultCode.EXPIRED_ACCESS_TOKEN),
        ({"scope": "openid"}, ResultCode.ACCESS_DENIED),
        ({"opted_out": "PUSH INBOX"}, ResultCode.USER_NOT_SUBSCRIBED),
        ({"sub": None}, ResultCode.UNKNOWN_EXCEPTION),
    ],
)
def test_R37_what_the_server_says_of_a_token_decides(
    settings: Settings, server: AuthorizationServer, members: dict[str, object], code: ResultCode
) -> None:
    server.answers[TOKEN] = active(**members)

    assert at_desk(settings, lambda desk: desk.take()).code is code


@pytest.mark.parametrize("status", [401, 500])
def test_R31_R50_while_the_server_is_away_a_new_send_is_U_and_a_repeat_is_S(
    settings: Settings, server: AuthorizationServer, status: int
) -> None:
    server.answers[TOKEN] = active()

    async def story(desk: Desk) -> list[ResultCode]:
        first = await desk.take()
        server.play = Played(status)
        sent = [await desk.take(), await desk.take(requestId="new"), await desk.take(redirectUrl="/other")]
        return [answer.code for answer in (first, *sent)]

    with capture_logs() as logs:
        assert at_desk(settings, story) == [
            ResultCode.SUCCESS,
            ResultCode.SUCCESS,
            ResultCode.UNKNOWN_EXCEPTION,
            ResultCode.REPEAT_REQ_INCONSISTENT,
        ]

    assert {line["event"] for line in logs} == {"introspection_breaker_opened", "tokens_unresolved"}
    assert f"HTTP {status}" in str(logs)
    assert MARK not in str(logs)


def test_R31_once_the_server_is_back_the_repeat_of_a_U_is_taken(
    settings: Settings, server: AuthorizationServer
) -> None:
    server.answers[TOKEN] = active()
    quick = settings.model_copy(update={"breaker_first": 1})

    async def story(desk: Desk) -> list[ResultCode]:
        server.play = Played(500)
        first = await desk.take()
        server.play = None
        await asyncio.sleep(0.01)
        return [first.code, (await desk.take()).code]

    assert at_desk(quick, story) == [ResultCode.UNKNOWN_EXCEPTION, ResultCode.SUCCESS]


def _settings(environment: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("TIDINGS_"): value for name, value in environment.items()}


def test_doctor_says_whether_the_authorization_server_answers_as_it_should(
    redis_url: str, server: AuthorizationServer, tmp_path: Path
) -> None:
    environment = _settings(server.environment(tmp_path))
    server.play = Played(401)

    printed = CommandLine(redis_url)("doctor", **environment).stdout

    (line,) = [line for line in printed.splitlines() if line.split()[1] == "introspection"]
    assert line.startswith("error")
    assert "refuses us (HTTP 401): mend TIDINGS_INTROSPECTION_CLIENT_ID" in line
    assert "s3cr3t" not in printed


@pytest.mark.parametrize(
    ("played", "severity", "what"),
    [
        (None, Severity.OK, "the authorization server answers"),
        (Played(200, b"<html>"), Severity.ERROR, "is no introspection"),
        (Played(200, json.dumps(active()).encode()), Severity.ERROR, "of a token that nobody has that it is active"),
    ],
)
def test_the_authorization_server_is_examined_by_a_token_that_nobody_has(
    settings: Settings, server: AuthorizationServer, played: Played | None, severity: Severity, what: str
) -> None:
    server.play = played

    found = asyncio.run(introspection_finding(settings))

    assert found.severity is severity
    assert what in found.what


@pytest.mark.parametrize("secret", [None, b"", b"\n", b"two\nlines", b"\xff", "é".encode()])
def test_a_secret_that_can_not_be_used_is_refused_by_the_name_of_its_setting(
    settings: Settings, secret: bytes | None
) -> None:
    file = Path(settings.introspection_secret_file)
    file.unlink()
    if secret is not None:
        file.write_bytes(secret)

    with pytest.raises(SettingsError, match=r"^TIDINGS_INTROSPECTION_SECRET_FILE: "):
        asyncio.run(introspection_finding(settings))


def test_who_can_trust_no_server_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/roots.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    with pytest.raises(SettingsError, match="SSL_CERT_FILE and SSL_CERT_DIR, where they are set, have to name some"):
        IntrospectionClient("https://auth.example/introspect", Credentials("", "secret"), 1_000, 1)


def test_token_put_says_that_nobody_will_look_there(
    redis_url: str, server: AuthorizationServer, tmp_path: Path
) -> None:
    grant = ("--customer-id", "2088", "--app-id", "3333", "--wallet", "GCASH")

    result = CommandLine(redis_url)("token", "put", "hush-1", *grant, **_settings(server.environment(tmp_path)))

    assert result.exit_code == 0
    assert "note: TIDINGS_INTROSPECTION_URL is set, so the API asks there" in result.stderr
