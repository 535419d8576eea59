"""`tidings template`: put, list, show and preview message templates."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, print_json
from api_adapter.template_files import TemplateFileError, read_templates
from worker.contract.errors import TidingsError
from worker.contract.messages import Channel
from worker.contract.requests import ContentTemplate
from worker.contract.templates import TemplateDefinition, TemplateVersion
from worker.languages import closest
from worker.rendering import CompiledTemplate, compile_template

app = typer.Typer(help="Put, list, show and preview message templates.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="Template code, as templateCode in a send.")]
VersionNumber = Annotated[int | None, typer.Option("--version", min=1, help="A version; default: the live one.")]


class TemplateCommandError(TidingsError):
    """What was asked of a template can't be done; the text says what to give instead."""


@app.command()
def put(
    files: Annotated[list[Path], typer.Argument(help="YAML files; one template a document, several allowed.")],
) -> None:
    """Make the templates of YAML files live; nothing is put when any file has a fault.

    A template that differs from its live version gets a new version; sends already taken keep theirs.
    """
    with told():
        definitions = _read_all(files)

        async def main(services: Services) -> list[TemplateVersion]:
            return [await services.templates.put(definition) for definition in definitions]

        for version in run(main):
            typer.echo(f"{version.code}: version {version.version} is live")


@app.command("list")
def list_templates(*, as_json: AsJson = False) -> None:
    """List the live version of every template."""
    with told():

        async def main(services: Services) -> tuple[TemplateVersion, ...]:
            return await services.templates.list()

        versions = run(main)
        if as_json:
            print_json([version.model_dump(mode="json") for version in versions])
        else:
            Console().print(_overview(versions))


@app.command()
def show(code: Code, *, version: VersionNumber = None, as_json: AsJson = False) -> None:
    """Show a template's texts and the parameters that they need, by language and channel."""
    with told():
        found = _find(code, version)
        compiled = compile_template(found)
        if as_json:
            required = {language: sorted(compiled.required(language)) for language in compiled.languages}
            print_json({**found.model_dump(mode="json"), "required": required})
        else:
            Console().print(*_pages(compiled), sep="\n")


@app.command()
def preview(
    code: Code,
    *,
    language: Annotated[str | None, typer.Option(help="BCP 47 tag; default: the template's own default.")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; repeat for more.")] = None,
    link: Annotated[str, typer.Option(help="The send's redirectUrl.")] = "/pages/index",
    version: VersionNumber = None,
    as_json: AsJson = False,
) -> None:
    """Show what a user would get on each channel. Nothing is sent."""
    with told():
        compiled = compile_template(_find(code, version))
        entry = _entry(language, param or [])
        chosen = _fitting_language(compiled, entry)
        contents = {
            channel: json.loads(compiled.render(channel, chosen, entry.parameters, link))
            for channel in compiled.version.channels
        }
        for remark in compiled.superfluous([entry]):
            typer.echo(f"note: {remark}", err=True)
        if as_json:
            print_json({"code": code, "version": compiled.version.version, "language": chosen, "channels": contents})
        else:
            Console().print(*(_preview_panel(channel, chosen, contents[channel]) for channel in contents), sep="\n")


def _read_all(files: Sequence[Path]) -> list[TemplateDefinition]:
    definitions: list[TemplateDefinition] = []
    faults: list[str] = []
    for file in files:
        try:
            definitions += read_templates(file)
        except TemplateFileError as error:
            faults += error.faults
    if faults:
        raise TemplateFileError(faults)
    return definitions


def _find(code: str, number: int | None) -> TemplateVersion:
    async def main(services: Services) -> TemplateVersion | None:
        if number is not None:
            return await services.templates.version(code, number)
        return (await services.templates.live([code])).get(code)

    found = run(main)
    if found is None:
        which = code if number is None else f"{code} version {number}"
        raise TemplateCommandError(f"there is no template {which}: see `tidings template list`")
    return found


def _entry(language: str | None, parameters: Sequence[str]) -> ContentTemplate:
    pairs = [parameter.partition("=") for parameter in parameters]
    for name, equals, _ in pairs:
        if not equals:
            raise TemplateCommandError(f"--param {name}: write it as NAME=VALUE")
    try:
        return ContentTemplate(language=language, templateParameters={name: value for name, _, value in pairs})
    except ValidationError as error:
        raise TemplateCommandError("--language: give a BCP 47 tag, such as en-US") from error


def _fitting_language(compiled: CompiledTemplate, entry: ContentTemplate) -> str:
    """Return the language that a send with this one entry is rendered in (R62)."""
    default = compiled.languages[0]
    language = default if entry.language is None else closest(entry.language, compiled.languages) or default
    lacking = sorted(compiled.required(language) - entry.parameters.keys())
    if lacking:
        options = " ".join(f"--param {name}=VALUE" for name in lacking)
        raise TemplateCommandError(f"in {language} the template needs more parameters: add {options}")
    return language


def _overview(versions: Sequence[TemplateVersion]) -> Table:
    table = Table(Column("Code", overflow="fold"), "Version", "Channels", "Languages", "Format", "Links")
    for version in versions:
        languages = dict.fromkeys((version.default_language, *version.contents))
        facts = (", ".join(version.channels), ", ".join(languages), version.body_format, version.links)
        table.add_row(version.code, str(version.version), *facts)
    return table


def _pages(compiled: CompiledTemplate) -> Iterator[Panel | Table]:
    yield _overview([compiled.version])
    for language in compiled.languages:
        contents = compiled.version.contents[language]
        parts = [
            part
            for channel in compiled.version.channels
            for part in (Text(channel, "dim"), Text(contents[channel].title, "bold"), Text(contents[channel].body), "")
        ]
        needs = Text(f"parameters: {', '.join(sorted(compiled.required(language))) or 'none'}", "cyan")
        yield Panel(Group(*parts, needs), title=language, title_align="left")


def _preview_panel(channel: Channel, language: str, content: Mapping[str, Any]) -> Panel:
    if channel is Channel.PUSH:
        return _panel(f"PUSH in {language}", content["title"], content["content"], content["linkUrl"])
    body, header = content["body"], content["header"]
    title = " · ".join(filter(None, (f"INBOX in {language}", header["appName"])))
    return _panel(title, body["title"], body["content"], body["target"]["path"])


def _panel(heading: str, title: str, content: str, link: str) -> Panel:
    shown = Group(Text(title, "bold"), Text(content), Text(f"→ {link}", "cyan"))
    return Panel(shown, title=Text(heading), title_align="left", width=72)
