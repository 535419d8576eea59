"""The `tidings` command inside the test's own process, on a Redis of the test's choice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import orjson
from typer.testing import CliRunner, Result

from api_adapter.cli.main import app
from tests.samples import send_fields
from worker.bootstrap import Addresses, Services, services
from worker.settings import Settings

Outcome = TypeVar("Outcome")

SECRET = "only for this test"
APP: str = send_fields()["appId"]
TOKEN: str = send_fields()["accessToken"]
TEMPLATE = """\
code: PAYMENT_NOTICE
channels: [PUSH, INBOX]
default_language: en-US
contents:
  en-US:
    PUSH: {title: Paid, body: "Hello, ${who}"}
    INBOX: {title: Paid, body: "Hello, ${who}"}
"""


class CommandLine:
    """Runs commands one after the other."""

    def __init__(self, redis_url: str) -> None:
        """Take the Redis of the ledger."""
        self.redis_url = redis_url
        self.environment = {"TIDINGS_REDIS_URL": redis_url, "TIDINGS_TOKEN_SECRET": SECRET, "COLUMNS": "100"}

    def __call__(self, *arguments: str | Path, stdin: str | bytes | None = None, **settings: str) -> Result:
        """Run a command with some settings besides the usual ones."""
        given = {f"TIDINGS_{name.upper()}": value for name, value in settings.items()}
        return CliRunner().invoke(app, [str(one) for one in arguments], stdin, self.environment | given)

    def lines(self, *arguments: str | Path, stdin: str | bytes | None = None) -> list[str]:
        """Return what a command that succeeds prints."""
        result = self(*arguments, stdin=stdin)
        assert (result.exit_code, result.exception) == (0, None), result.output
        return result.stdout.splitlines()

    def refused(self, *arguments: str | Path, stdin: str | bytes | None = None, **settings: str) -> str:
        """Return the one line that a command says that could not do what was asked."""
        result = self(*arguments, stdin=stdin, **settings)
        assert result.exit_code == 2, result.output
        *notes, line = result.stderr.splitlines()
        assert not any(note.startswith("tidings: ") for note in notes)
        assert line.startswith("tidings: ")
        return line.removeprefix("tidings: ")

    def on_services(self, story: Callable[[Services], Awaitable[Outcome]], **given: str) -> Outcome:
        """Do something to the stores that no command does, with some settings besides the usual ones."""
        settings = Settings.model_validate({"redis_url": self.redis_url, "token_secret": SECRET, **given})

        async def tell() -> Outcome:
            async with services(settings, Addresses(self.redis_url, self.redis_url)) as found:
                return await story(found)

        return asyncio.run(tell())

    def open_shop(self, directory: Path) -> None:
        """Put what the samples' send needs: template, wallet and token."""
        template = directory / "template.yaml"
        template.write_text(TEMPLATE, encoding="utf-8")
        self.lines("template", "put", template)
        self.lines("wallet", "put", "GCASH", "--gateway", "http://wallet.test")
        self.lines("token", "put", TOKEN, "--customer-id", "2088", "--app-id", APP, "--wallet", "GCASH")


def write_sends(path: Path, *sends: Mapping[str, object] | str) -> Path:
    """Write a file of sends, each the fields that differ from the samples' send, or a whole line."""
    lines = [send.encode() if isinstance(send, str) else orjson.dumps(send_fields(**send)) for send in sends]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path
