"""What is said of a gateway that is connected to and sent nothing."""

import asyncio
from pathlib import Path

import pytest

from tests.certificates import tls_for
from tests.http_calls import server
from tests.receivers import Receiver, receiver
from worker.bootstrap import gateway_finding
from worker.contract.findings import Finding, Severity
from worker.contract.messages import Channel
from worker.contract.users import GatewayRoute

HOST = "127.0.0.1"


async def found_at(url: str) -> Finding:
    return await gateway_finding(GatewayRoute("gcash", url, frozenset(Channel)))


def of_tls(tmp_path: Path, host: str) -> tuple[Finding, str, Receiver]:
    """Return what is said of a gateway whose certificate is for `localhost`, its URL and what it was sent."""
    context, root = tls_for("localhost", tmp_path)
    (tmp_path / "roots.pem").write_bytes(root)

    async def story() -> tuple[Finding, str, Receiver]:
        async with receiver(context) as wallet:
            url = f"https://{host}:{wallet.port}/api"
            return await found_at(url), url, wallet

    return asyncio.run(story())


def test_a_certificate_that_a_worker_would_not_trust_is_an_error(tmp_path: Path) -> None:
    found, url, wallet = of_tls(tmp_path, "localhost")

    what = f"gcash has no certificate that is trusted at {url}: self-signed certificate"
    advice = "if it is the right one, add its authority to the file SSL_CERT_FILE of the workers, "
    assert found == Finding(Severity.ERROR, what, f"{advice}see docs/settings.md")
    assert wallet.received == []


def test_a_file_of_trusted_certificates_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

    found, _, _ = of_tls(tmp_path, "localhost")

    assert found.severity is Severity.ERROR
    assert found.advice.startswith(f"SSL_CERT_FILE names {tmp_path}/none.pem, which is no file here; ")


def test_what_the_environment_names_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))

    found, _, wallet = of_tls(tmp_path, "localhost")

    assert found == Finding(Severity.OK, "gcash takes connections, and its certificate is trusted")
    assert (wallet.connections, wallet.received) == (1, [])


def test_another_name_than_that_of_the_certificate_is_for_the_gateway_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))

    found, _, _ = of_tls(tmp_path, HOST)

    assert found.what.endswith(": IP address mismatch")
    assert found.advice.startswith("whoever runs the gateway has to mend that, ")


def test_one_that_speaks_no_tls_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def story() -> tuple[Finding, int]:
        async with server(serve) as port:
            return await found_at(f"https://{HOST}:{port}"), port

    found, port = asyncio.run(story())
    assert found.severity is Severity.ERROR
    assert found.what.startswith(f"gcash takes no connection at https://{HOST}:{port}: the TLS handshake failed (")


def test_a_name_that_leads_nowhere_is_an_error() -> None:
    found = asyncio.run(found_at("https://nowhere.invalid"))

    assert found.severity is Severity.ERROR
    assert found.what.startswith("gcash can't be found at https://nowhere.invalid: the host's name leads to no address")
