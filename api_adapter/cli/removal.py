"""What commands that forget something say: what depends on it, and whether it is gone."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from api_adapter.cli.printing import print_json
from api_adapter.cli.saying import say

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do it; without it only say what depends on it.")]


def print_removal(key: str, name: str, consequences: Sequence[str], *, yes: bool, as_json: bool) -> None:
    """Say what depends on something that was removed, or would be; `key` is what JSON calls its name."""
    if as_json:
        print_json({"dryRun": not yes, key: name, "consequences": consequences})
        return
    say(f"{name} is removed" if yes else f"would remove {name}")
    for consequence in consequences:
        say(f"  {consequence}")
    if not yes:
        say("nothing was changed; add --yes to remove it")
