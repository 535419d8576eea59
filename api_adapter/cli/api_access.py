"""The options of commands that call the API as a merchant does, and what they come to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.private_keys import read_signer

if TYPE_CHECKING:
    from api_adapter.client import Access

AGAIN: Final = "run the same command again: what was done is not done twice"
"""What to do after a command that was interrupted, or got no answer."""
_HIGHEST = 999_999_999

Url: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Over the API there, as merchants do; default: straight to the ledger of the settings."),
]
Key: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="With --url: private key that requests are signed with."),
]
KeyVersion: TypeAlias = Annotated[int, typer.Option(min=1, max=_HIGHEST, help="The keyVersion of --key.")]
ServerKey: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="With --url: public key of the server; only answers it signed are believed."),
]
ServerKeyVersion: TypeAlias = Annotated[int, typer.Option(min=1, max=_HIGHEST, help="The keyVersion of --server-key.")]


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What was given of them."""

    url: str | None
    key: Path | None
    key_version: int
    server_key: Path | None
    server_key_version: int

    def __post_init__(self) -> None:
        """Refuse keys that nobody would use."""
        if self.url is None and (self.key or self.server_key):
            raise ArgumentError("--key, --server-key: need --url; without it nothing is signed")

    def access(self, client_id: str) -> "Access":
        """Return what calls are made with; raise ArgumentError, which shows nothing of a key."""
        from api_adapter.client import Access, AccessError  # noqa: PLC0415 - who goes to the ledger needs none of it

        try:
            return Access(
                self.url or "",
                client_id,
                signer=read_signer("--key", self.key, self.key_version) if self.key else None,
                server_keys={self.server_key_version: _read(self.server_key)} if self.server_key else {},
            )
        except AccessError as error:
            raise ArgumentError(_by_options(str(error))) from None


def _by_options(text: str) -> str:
    name, _, rest = text.partition(": ")
    return f"--{name.replace('_', '-').replace('server-keys', 'server-key')}: {rest}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArgumentError(f"--server-key: can't be read ({error.strerror}); give a PEM file") from error
