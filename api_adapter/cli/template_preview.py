"""`tidings template preview`: what a user would get of a template, on each channel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from api_adapter.cli.context import told
from api_adapter.cli.printing import AsJson, print_json, screen
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.template_arguments import Code, TemplateCommandError, VersionNumber, find
from api_adapter.cli.view_panels import panels
from api_adapter.preview_page import Pictured, picture
from api_adapter.previewing import LanguageView, views
from worker.contract.errors import ContractViolationError
from worker.contract.parsing import parse_fields
from worker.contract.send_request import ContentTemplate
from worker.rendering import compile_template

EPILOG = (
    "Examples:\n\n"
    "tidings template preview PROMOTION --param percent=20 --param until=Sunday\n\n"
    "tidings template preview PROMOTION --version 4 --language ja --param percent=20 --param until=Sunday --json\n\n"
    "tidings template preview PROMOTION --html promotion.html    (all languages, for a browser)"
)


def preview(  # noqa: PLR0913 - each is an option of the command
    code: Code,
    *,
    language: Annotated[str | None, typer.Option(help="BCP 47 tag; default: the template's own default.")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; repeat for more.")] = None,
    link: Annotated[str, typer.Option(help="The send's redirectUrl.")] = "/pages/index",
    version: VersionNumber = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page of all languages side by side; parameters may be left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a user would get on each channel. Nothing is sent."""
    with told():
        entry = _entry(language, param or [])
        compiled = compile_template(find(code, version))
        if html is not None:
            _write_page(html, picture(compiled, entry.parameters, link))
            return
        (view,) = views(compiled, [entry], link)
        _refuse(view)
        for remark in compiled.superfluous([entry]):
            say_aside(f"note: {remark}")
        if as_json:
            contents = {channel.channel: channel.content for channel in view.channels}
            print_json(
                {"code": code, "version": compiled.version.version, "language": view.language, "channels": contents}
            )
        else:
            screen().print(*panels(view), sep="\n")


def _entry(language: str | None, parameters: Sequence[str]) -> ContentTemplate:
    pairs = [parameter.partition("=") for parameter in parameters]
    for name, equals, _ in pairs:
        if not equals:
            raise TemplateCommandError(f"--param {name}: write it as NAME=VALUE")
    try:
        return parse_fields(
            ContentTemplate,
            {"language": language, "templateParameters": {name: value for name, _, value in pairs}},
        )
    except ContractViolationError as error:
        raise TemplateCommandError("--language: give a BCP 47 tag, such as en-US") from error


def _write_page(file: Path, pictured: Pictured) -> None:
    try:
        file.write_text(pictured.page, encoding="utf-8")
    except OSError as error:
        raise TemplateCommandError(f"--html: {file} can't be written ({error.strerror}); name another file") from error
    if pictured.stand_ins:
        say_aside(f"note: shown by their names: {', '.join(pictured.stand_ins)}")
    say(f"wrote {file}: open it in a browser")


def _refuse(view: LanguageView) -> None:
    """Raise TemplateCommandError where nothing can be shown (R62, R63)."""
    if view.missing:
        options = " ".join(f"--param {name}=VALUE" for name in view.missing)
        raise TemplateCommandError(f"in {view.language} the template needs more parameters: add {options}")
    for channel in view.channels:
        if channel.fault:
            raise TemplateCommandError(channel.fault)
