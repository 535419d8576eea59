"""Lays docstrings out for `--help`: their line breaks are those of the source, a terminal has its own width."""

from inspect import cleandoc

from typer import Typer


def unwrap_help(app: Typer) -> None:
    """Give each command below `app` its docstring as help, with a line for each paragraph."""
    for command in app.registered_commands:
        written = command.help or (command.callback and command.callback.__doc__) or ""
        command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in cleandoc(written).split("\n\n"))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            unwrap_help(group.typer_instance)
