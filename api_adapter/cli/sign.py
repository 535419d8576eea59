"""`tidings sign`: the headers of a signed request, for curl and its like."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from api_adapter.cli.arguments import ArgumentError, moment
from api_adapter.cli.context import told
from api_adapter.cli.private_keys import read_signer
from api_adapter.paths import SEND
from worker.clock import SystemClock
from worker.contract.clients import PLAIN_CLIENT_ID
from worker.contract.moments import moment_text
from worker.signatures import signed_content

EPILOG: Final = (
    "Examples:\n\ntidings sign send.json --client-id merchant-1 --key merchant-1.pem > headers.txt\n\n"
    "curl http://127.0.0.1:8080/v2/miniprogram/message/send -H @headers.txt --data-binary @send.json\n\n"
    "tidings sign --path '/v2/miniprogram/message/template?templateCode=PAYMENT_NOTICE' "
    "--client-id merchant-1 --key merchant-1.pem"
)
STDIN: Final = "-"


def sign(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="The body to send; - reads it from standard input. Without it a GET is signed, which has none.",
        ),
    ] = None,
    *,
    client_id: Annotated[str, typer.Option(help="The client that signs.")],
    key: Annotated[Path, typer.Option(metavar="PEM", help="File of its RSA private key; it is read and goes nowhere.")],
    key_version: Annotated[int, typer.Option(min=1, max=999_999_999, help="The keyVersion of that key.")] = 1,
    path: Annotated[str, typer.Option(help="Path of the request as the caller writes it, with its query.")] = SEND,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Request-Time: ISO 8601 with offset, or milliseconds since 1970; now."),
    ] = None,
) -> None:
    """Print the headers of a signed request, a line each, as curl's `-H @FILE` reads them.

    Send the same bytes: with curl --data-binary, as -d takes line breaks away. The headers are good for some minutes
    (TIDINGS_REQUEST_SKEW of the server).
    """
    with told():
        if not PLAIN_CLIENT_ID.fullmatch(client_id):
            raise ArgumentError("--client-id: must be 1 to 128 printable ASCII characters, no white space")
        time = _time(at)
        content = signed_content(_checked_path(path), client_id, time, _body(file), "GET" if file is None else "POST")
        signature = read_signer("--key", key, key_version).header(content)
        if file is not None:
            typer.echo("Content-Type: application/json")
        typer.echo(f"Client-Id: {client_id}\nRequest-Time: {time}")
        typer.echo(f"Signature: {signature}")


def _time(at: str | None) -> str:
    if at is None:
        return moment_text(SystemClock().now())
    try:
        moment(at)
    except ArgumentError as error:
        raise ArgumentError(f"--at: {error}") from None
    return at


def _checked_path(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise ArgumentError("--path: must be a path such as /v2/miniprogram/message/send, percent-encoded")
    return path


def _body(file: str | None) -> bytes:
    if file is None:
        return b""
    if file == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ArgumentError(f"FILE: can't be read ({error.strerror})") from error
