"""Signed requests over the wire, and the README's commands for them (CONTRACT R20-R27)."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.command_line import CommandLine
from tests.keys import private_pem, public_pem, signed_headers
from tests.servers import HOST, TOKEN_SECRET, ApiServer, served
from tests.stacks import ROOT
from worker.clock import SystemClock
from worker.contract.moments import moment_text
from worker.signatures import is_signed, read_signature, signed_digest

README = ROOT / "README.md"
PREFIX = "/api/open"
INQUIRY = "/v2/miniprogram/message/inquiry"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signed")


@pytest.fixture(scope="module")
def server_key(directory: Path) -> Path:
    file = directory / "server.pem"
    file.write_bytes(private_pem("server"))
    return file


@pytest.fixture
def api(redis_url: str, tmp_path: Path, server_key: Path) -> Iterator[ApiServer]:
    with served(tmp_path / "api", redis_url, signatures="required", signing_key_file=server_key) as server:
        yield server


def blocks(title: str) -> list[str]:
    """Return the shell blocks of a section of the README."""
    section = README.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def in_shell(script: str, directory: Path, api: ApiServer, redis_url: str) -> str:
    """Return what the commands of a block print."""
    program = directory / "tidings"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m api_adapter "$@"\n')
    program.chmod(0o755)
    settings = {"TIDINGS_REDIS_URL": redis_url, "TIDINGS_TOKEN_SECRET": TOKEN_SECRET}
    environ = os.environ | settings | {"PATH": f"{directory}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    script = script.replace("http://127.0.0.1:8080/", f"http://{HOST}:{api.port}/")
    done = subprocess.run(["/bin/sh", "-ec", script], cwd=directory, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode()


def test_the_commands_of_the_readme_sign_a_send(api: ApiServer, tmp_path: Path, redis_url: str) -> None:
    tidings = CommandLine(redis_url)
    tidings.environment["TIDINGS_TOKEN_SECRET"] = TOKEN_SECRET
    tidings.lines("wallet", "put", "SANDBOX", "--gateway", "http://wallet.test")
    tour = blocks("Tour for merchants: five minutes")
    token, template, send = (
        next(block for block in tour if word in block) for word in ("token put", "put order", "@s")
    )
    in_shell(token + template + send.partition("\ncurl ")[0], tmp_path, api, redis_url)
    (signing,) = blocks("Signed requests")

    said = in_shell(signing, tmp_path, api, redis_url)

    assert orjson.loads(said.splitlines()[-1])["result"]["resultCode"] == "SUCCESS"
    unsigned = in_shell(send.rpartition("\nEOF\n")[2], tmp_path, api, redis_url)
    assert orjson.loads(unsigned)["result"]["resultCode"] == "INVALID_SIGNATURE"
    # The file's line breaks are part of what was signed.
    stripped = in_shell(signing.splitlines()[-1].replace("--data-binary", "-d"), tmp_path, api, redis_url)
    assert orjson.loads(stripped)["result"]["resultCode"] == "INVALID_SIGNATURE"
    assert "sandbox" not in api.command.stderr


def test_R24_R26_path_and_body_are_verified_as_they_came_and_the_answer_is_signed(
    api: ApiServer, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.pub.pem").write_text(public_pem("merchant"))
    CommandLine(redis_url).lines("client", "add", "shop", "--key", tmp_path / "shop.pub.pem", "--app-id", "a")
    body = '{"appId": "a",\r\n "requestId": "小明"}\n'.encode()

    for path in (INQUIRY, PREFIX + INQUIRY, INQUIRY + "?a=%20+b&c", INQUIRY.replace("inquiry", "%69nquiry")):
        signed = signed_headers(path, body, client="shop", time=moment_text(SystemClock().now()), key="merchant")
        connection = api.connection()
        connection.request("POST", path, body, {"Content-Type": "application/json", **signed})
        response = connection.getresponse()
        answer = response.read()
        connection.close()

        assert (path, orjson.loads(answer)["result"]["resultCode"]) == (path, "MESSAGE_NOT_EXIST")
        time, claimed = response.headers["Response-Time"], read_signature(response.headers["Signature"])
        assert claimed is not None
        assert is_signed(public_pem("server"), claimed.signature, signed_digest(path, "shop", time, answer))
    assert "_signed" not in api.command.stderr
    assert "any_client" not in api.command.stderr


@pytest.mark.parametrize(
    ("setting", "content", "reason"),
    [
        ("signing_key_file", None, "TIDINGS_SIGNING_KEY_FILE: can't be read (No such file or directory)"),
        ("signing_key_file", b"none", "TIDINGS_SIGNING_KEY_FILE: must be an RSA private key in PEM"),
    ],
)
def test_a_server_key_that_can_not_be_used_stops_the_start(
    redis_url: str, tmp_path: Path, setting: str, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)

    assert CommandLine(redis_url).refused("serve", **{setting: str(file)}).startswith(reason)
