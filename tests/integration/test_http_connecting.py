"""How the HTTP client of wallet calls connects, with and without TLS, and how it says that it can't."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certificates import tls_for, tls_of_authority_for
from tests.http_calls import (
    FINE,
    PATIENCE,
    SHORT,
    Play,
    client,
    deaf_port,
    server,
    trusting,
    until,
    url,
)
from tests.receivers import OK, receiver
from worker.adapters import resolving
from worker.adapters.http_calls import connecting
from worker.adapters.http_calls.connection import Connection
from worker.adapters.http_calls.errors import (
    ConnectError,
    ConnectTimeoutError,
    HostNotFoundError,
    UnfitUrlError,
    UntrustedCertificateError,
)
from worker.adapters.http_calls.pool import Pool
from worker.adapters.http_calls.target import Origin


def test_a_connection_that_ended_before_the_request_says_that_nothing_was_written(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet:
            connections_to = Pool()
            origin = Origin(is_tls=False, host="127.0.0.1", port=wallet.port)
            connection = await connecting.Connector().connect(origin, None, PATIENCE, connections_to.make)
            await until(lambda: bool(wallet.open))
            wallet.open.pop().close()
            await until(lambda: not connection.is_open)
            with pytest.raises(ConnectError):
                connection.send(b"POST", asyncio.get_running_loop().create_future())
            await until(lambda: connections_to.open == 0)

    play(story())


def test_nobody_listens(play: Play) -> None:
    async def story() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            async with client() as found:
                with pytest.raises(ConnectError):
                    await found.post(url(unused.getsockname()[1]), b"{}")

    play(story())


def test_a_server_that_takes_no_connection_is_left_in_time(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.adapters.http_calls.client.CONNECT_SECONDS", SHORT)

    async def story() -> None:
        async with deaf_port() as port, client() as found:
            with pytest.raises(ConnectTimeoutError):
                await found.post(url(port), b"{}")

    play(story())


def test_a_call_that_is_over_before_there_is_a_connection_was_never_sent(play: Play) -> None:
    async def story() -> None:
        async with deaf_port() as port, client(SHORT) as found:
            with pytest.raises(ConnectTimeoutError):
                await found.post(url(port), b"{}")
            assert found._deadlines._due == {}

    play(story())


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "wallet..test"])
def test_a_name_that_leads_nowhere(play: Play, host: str) -> None:
    async def story() -> None:
        async with client() as found:
            with pytest.raises(HostNotFoundError):
                await found.post(f"http://{host}/", b"{}")

    play(story())


@pytest.mark.parametrize("wrong", ["", "wallet.test", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_what_is_no_url_is_called_nowhere(play: Play, wrong: str) -> None:
    async def story() -> None:
        async with client() as found:
            with pytest.raises(UnfitUrlError):
                await found.post(wrong, b"{}")

    play(story())


def test_all_addresses_of_a_name_are_tried(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str) -> list[str]:
        return ["127.0.0.3", "127.0.0.2", "127.0.0.1"] if host == "wallet.test" else ["127.0.0.3"]

    monkeypatch.setattr(resolving, "look_up", look_up)

    async def story() -> None:
        async with receiver() as wallet, client() as found:
            assert await found.post(f"http://wallet.test:{wallet.port}/", b"{}") == FINE
            with pytest.raises(ConnectError, match="none of 1 addresses"):
                await found.post(f"http://other.test:{wallet.port}/", b"{}")

    play(story())


def test_an_address_that_never_answers_leaves_time_to_the_next(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def connect_to(address: str, *_: object) -> Connection:
        tried.append(address)
        await asyncio.sleep(PATIENCE if address == "deaf" else 0)
        raise OSError

    monkeypatch.setattr(resolving, "look_up", lambda _: ["deaf", "other"])
    monkeypatch.setattr(connecting, "_connect_to", connect_to)

    async def story() -> None:
        async with client(SHORT) as found:
            with pytest.raises(ConnectError):
                await found.post("http://wallet.test/", b"{}")

    play(story())
    assert tried == ["deaf", "other"]


def test_an_address_that_took_no_connection_is_tried_last_until_it_takes_one(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    away = {"one"}

    async def connect_to(address: str, *_: object) -> Connection:
        tried.append(address)
        if address in away:
            raise OSError
        return Pool().make()

    monkeypatch.setattr(resolving, "look_up", lambda _: ["one", "two", "three"])
    monkeypatch.setattr(connecting, "_connect_to", connect_to)

    async def story() -> None:
        connector = connecting.Connector()

        async def tries(host: str = "wallet.test") -> list[str]:
            tried.clear()
            with suppress(ConnectError):
                await connector.connect(Origin(is_tls=False, host=host, port=80), None, PATIENCE, Pool().make)
            return list(tried)

        assert await tries() == ["one", "two"]
        assert await tries() == ["two"]
        assert await tries("other.test") == ["one", "two"]
        away.update(["two", "three"])
        assert await tries() == ["two", "three", "one"]
        away.clear()
        assert await tries() == ["two"]
        assert len(connector._failed) == 3

    play(story())


def test_so_many_addresses_that_failed_are_remembered(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_MOST_FAILED", 3)
    monkeypatch.setattr(resolving, "look_up", lambda _: ["127.0.0.2", "127.0.0.3"])

    async def story() -> None:
        async with receiver() as wallet:
            connector = connecting.Connector()
            for host, kept in [("one.test", 2), ("one.test", 2), ("two.test", 1)]:
                with pytest.raises(ConnectError):
                    await connector.connect(Origin(False, host, wallet.port), None, PATIENCE, Pool().make)  # noqa: FBT003
                assert len(connector._failed) == kept

    play(story())


def test_https_to_a_server_that_is_trusted(play: Play, tmp_path: Path) -> None:
    context, root = tls_for("localhost", tmp_path)

    async def story() -> None:
        async with receiver(context) as wallet, client(context=trusting(root)) as found:
            body = bytes(1_000_000)
            for _ in range(2):
                assert await found.post(f"https://localhost:{wallet.port}/a", body) == FINE
            assert wallet.connections == 1
            assert [len(one.body) for one in wallet.received] == [len(body)] * 2

    play(story())


def test_https_trusts_whom_the_environment_names(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, root = tls_for("localhost", tmp_path)
    (tmp_path / "roots.pem").write_bytes(root)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))

    async def story() -> None:
        async with receiver(context) as wallet, client() as found:
            assert await found.post(f"https://localhost:{wallet.port}/", b"{}") == FINE

    play(story())


@pytest.mark.parametrize("file", ["roots.pem", "server.pem"], ids=["an authority", "the server alone"])
def test_https_trusts_a_private_authority_or_a_certificate_with_every_python(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    context, root = tls_of_authority_for("localhost", tmp_path)
    (tmp_path / "roots.pem").write_bytes(root)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / file))
    made = ssl.create_default_context

    def as_python_3_13() -> ssl.SSLContext:
        found = made()
        found.verify_flags |= ssl.VERIFY_X509_STRICT
        return found

    monkeypatch.setattr(ssl, "create_default_context", as_python_3_13)

    async def story() -> None:
        async with receiver(context) as wallet, client() as found:
            assert await found.post(f"https://localhost:{wallet.port}/", b"{}") == FINE

    play(story())


@pytest.mark.parametrize(
    ("name", "is_known", "reason"),
    [("localhost", False, "^self-signed certificate$"), ("wallet.test", True, "^Hostname mismatch$")],
)
def test_https_to_one_that_cannot_prove_its_name_sends_nothing(
    play: Play, tmp_path: Path, name: str, reason: str, *, is_known: bool
) -> None:
    context, root = tls_for(name, tmp_path)

    async def story() -> None:
        async with receiver(context) as wallet, client(context=trusting(root) if is_known else None) as found:
            with pytest.raises(UntrustedCertificateError, match=reason):
                await found.post(f"https://localhost:{wallet.port}/", b"{}")
            assert wallet.received == []

    play(story())


def test_https_to_one_that_speaks_no_tls_sends_nothing(play: Play) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)

    async def story() -> None:
        async with server(serve) as port, client() as found:
            with pytest.raises(ConnectError):
                await found.post(f"https://127.0.0.1:{port}/", b"{}")

    play(story())


def test_an_address_of_ipv6_is_called_and_named_in_brackets(play: Play) -> None:
    hosts = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hosts.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[1])
        writer.write(OK)

    async def story() -> None:
        async with server(serve, "::1") as port, client() as found:
            assert await found.post(f"http://[::1]:{port}/", b"{}") == FINE
            assert hosts == [b"Host: [::1]:%d" % port]

    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    play(story())
