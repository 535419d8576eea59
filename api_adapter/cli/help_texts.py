"""Lays docstrings out for `--help`: their line breaks are those of the source, a terminal has its own width."""

from inspect import cleandoc
from typing import Any

from typer import Typer
from typer.core import TyperCommand


class WholeHelp(TyperCommand):
    """A verb whose help cuts nothing: in 80 columns typer's panels break off the names of options and paths."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - whatever typer hands over
        """Do without the panels."""
        super().__init__(*arguments, **options | {"rich_markup_mode": None})


def lay_out_help(app: Typer) -> None:
    """Give each command below `app` its docstring as help, with a line for each paragraph, and cut nothing of it."""
    for command in app.registered_commands:
        written = command.help or (command.callback and command.callback.__doc__) or ""
        command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in cleandoc(written).split("\n\n"))
        command.cls = WholeHelp
    for group in app.registered_groups:
        if group.typer_instance is not None:
            lay_out_help(group.typer_instance)
