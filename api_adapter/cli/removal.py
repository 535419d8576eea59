"""What commands that forget something say: what depends on it, and whether it is gone."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from api_adapter.cli.printing import print_json

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do it; without it only say what depends on it.")]


def print_removal(key: str, name: str, consequences: Sequence[str], *, yes: bool, as_json: bool) -> None:
    """Say what depends on something that was removed, or would be; `key` is what JSON calls its name."""
    if as_json:
        print_json({"dryRun": not yes, key: name, "consequences": consequences})
        return
    typer.echo(f"{name} is removed" if yes else f"would remove {name}")
    for consequence in consequences:
        typer.echo(f"  {consequence}")
    if not yes:
        typer.echo("nothing was changed; add --yes to remove it")
