"""What the verbs of `tidings template` share: their arguments, who runs them, and finding a version."""

import getpass
import os
import socket
from collections.abc import Iterable
from typing import Annotated

import typer

from api_adapter.cli.context import Services, run
from api_adapter.cli.printing import harmless
from api_adapter.cli.saying import say_aside
from api_adapter.template_changes import consequences
from api_adapter.template_lint import Grade, lint
from worker.contract.errors import TidingsError
from worker.contract.templates import TemplateVersion
from worker.rendering import compile_template

Code = Annotated[str, typer.Argument(help="Template code, as templateCode in a send.")]
VersionNumber = Annotated[int | None, typer.Option("--version", min=1, help="A version; default: the live one.")]
By = Annotated[str | None, typer.Option(help="Who does it, for the history; default: your user name and host.")]


class TemplateCommandError(TidingsError):
    """What was asked of a template can't be done; the text says what to give instead."""


def whoever(by: str | None) -> str:
    """Return the name for the history."""
    if by is not None:
        return by
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def find(code: str, number: int | None) -> TemplateVersion:
    """Return a version, or the live one; raise TemplateCommandError where there is none."""

    async def main(services: Services) -> TemplateVersion:
        return await found(services, code, number)

    return run(main)


async def found(services: Services, code: str, number: int | None) -> TemplateVersion:
    """Return a version as `find` does, in a verb that has the stores open."""
    if number is not None:
        version = await services.templates.version(code, number)
    else:
        version = (await services.templates.live([code])).get(code)
    if version is None:
        which = f"template {code} that is live" if number is None else f"template {code} version {number}"
        raise TemplateCommandError(f"there is no {which}: see `tidings template list`")
    return version


def warn_of(version: TemplateVersion) -> None:
    """Tell on standard error what is suspicious about a version."""
    remarks = [remark for remark in lint(version) if remark.grade is not Grade.NOTE]
    tell(version.code, (str(remark) for remark in remarks))


def warn_of_move(old: TemplateVersion | None, new: TemplateVersion) -> None:
    """Tell on standard error which sends will be refused that were taken before."""
    if old is not None and old.version != new.version:
        noticed = consequences(compile_template(old), compile_template(new))
        tell(new.code, (f"warning: {one.text}" for one in noticed if one.breaks))


def tell(code: str, texts: Iterable[str]) -> None:
    """Print lines about a template on standard error."""
    for text in texts:
        say_aside(f"{code}: {harmless(text)}")
