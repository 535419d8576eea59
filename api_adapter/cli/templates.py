"""`tidings template`: message templates, their versions and texts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, print_json, screen
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from api_adapter.cli.template_arguments import By, Code, VersionNumber, find, found, warn_of, warn_of_move, whoever
from api_adapter.cli.template_lint import EPILOG as LINT_EPILOG
from api_adapter.cli.template_lint import lint_templates
from api_adapter.cli.template_preview import EPILOG as PREVIEW_EPILOG
from api_adapter.cli.template_preview import preview
from api_adapter.cli.template_versions import (
    DIFF_EPILOG,
    HISTORY_EPILOG,
    PUBLISH_EPILOG,
    ROLLBACK_EPILOG,
    diff,
    history,
    publish,
    rollback,
)
from api_adapter.cli.view_panels import WIDTH
from api_adapter.template_facts import all_required, template_json
from api_adapter.template_files import TemplateFileError, read_templates
from worker.contract.messages import Channel
from worker.contract.template_history import TemplateStanding
from worker.contract.templates import TemplateDefinition, TemplateVersion
from worker.rendering import CompiledTemplate, compile_template

_PUT_EPILOG = (
    "Examples:\n\n"
    "tidings template put payment_notice.yaml shipping_notice.yaml\n\n"
    "tidings template put --draft payment_notice.yaml   (then: diff, preview --version, publish)"
)
_LIST_EPILOG = "Example:\n\ntidings template list --json"
_SHOW_EPILOG = "Examples:\n\ntidings template show PAYMENT_NOTICE\n\ntidings template show PAYMENT_NOTICE --version 2"

app = typer.Typer(
    help="Put, publish, roll back, compare, check and preview message templates.",
    no_args_is_help=True,
)

app.command("publish", epilog=PUBLISH_EPILOG)(publish)
app.command("rollback", epilog=ROLLBACK_EPILOG)(rollback)
app.command("history", epilog=HISTORY_EPILOG)(history)
app.command("diff", epilog=DIFF_EPILOG)(diff)
app.command("lint", epilog=LINT_EPILOG)(lint_templates)
app.command("preview", epilog=PREVIEW_EPILOG)(preview)


@app.command(epilog=_PUT_EPILOG)
def put(
    files: Annotated[list[Path], typer.Argument(help="YAML files; one template a document, several allowed.")],
    *,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Store without making it live; see `tidings template publish`."),
    ] = False,
    by: By = None,
) -> None:
    """Make the templates of YAML files live; nothing is put when any file has a fault.

    A template that differs from its live version gets a new version; sends already taken keep theirs. What is
    suspicious is told on standard error, as is what gets sends refused that were taken before.
    """
    with told():
        definitions, name = _read_all(files), whoever(by)

        async def main(services: Services) -> list[_Put]:
            live = await services.templates.live([definition.code for definition in definitions])
            put_one = _draft if draft else _make_live
            return [
                _Put(await put_one(services, definition, name), live.get(definition.code)) for definition in definitions
            ]

        for one in run(main):
            version = one.version
            warn_of(version)
            if draft and (one.live is None or version.version != one.live.version):
                say(f"{version.code}: version {version.version} is a draft")
            else:
                warn_of_move(one.live, version)
                say(f"{version.code}: version {version.version} is live")


@app.command("list", epilog=_LIST_EPILOG)
def list_templates(*, as_json: AsJson = False) -> None:
    """List every template: its live version, the newest one, its languages and the parameters that it requires."""
    with told():
        rows = run(_all)
        if as_json:
            print_json(
                [
                    {**template_json(row.compiled), "live": row.standing.live or None, "newest": row.standing.newest}
                    for row in rows
                ],
            )
        else:
            show_table(_HEADINGS, map(_facts, rows))


@app.command(epilog=_SHOW_EPILOG)
def show(code: Code, *, version: VersionNumber = None, as_json: AsJson = False) -> None:
    """Show a template's texts and the parameters that they need, by language and channel."""
    with told():
        compiled = compile_template(find(code, version))
        if as_json:
            print_json(template_json(compiled))
        else:
            screen().print(*_pages(compiled), sep="\n")


_HEADINGS = ("Code", "Live", "Newest", "Channels", "Languages", "Parameters", "Format", "Links")


class _Put(NamedTuple):
    version: TemplateVersion
    live: TemplateVersion | None
    """What was live before."""


class _Row(NamedTuple):
    standing: TemplateStanding
    compiled: CompiledTemplate


async def _make_live(services: Services, definition: TemplateDefinition, by: str) -> TemplateVersion:
    return await services.templates.put(definition, by)


async def _draft(services: Services, definition: TemplateDefinition, by: str) -> TemplateVersion:
    version, _ = await services.templates.draft(definition, by)
    return version


async def _all(services: Services) -> list[_Row]:
    """Return the live version of every template, and the newest one of those that have none."""
    return [
        _Row(standing, compile_template(await found(services, standing.code, standing.live or standing.newest)))
        for standing in await services.templates.standings()
    ]


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


def _facts(row: _Row) -> Sequence[str]:
    version, (_, live, newest) = row.compiled.version, row.standing
    return (
        version.code,
        str(live) if live else "no",
        f"{newest} (draft)" if not live else str(newest),
        ", ".join(version.channels),
        ", ".join(row.compiled.languages),
        ", ".join(all_required(row.compiled)),
        version.body_format,
        version.links,
    )


def _pages(compiled: CompiledTemplate) -> Iterator[Panel | Text]:
    version = compiled.version
    links = "redirectUrl of the send" if compiled.needs_link else "parameters"
    yield Text(f"{version.code} version {version.version}, bodies are {version.body_format}, links are {links}")
    for language in compiled.languages:
        parts = [part for channel in version.channels for part in _channel_page(compiled, language, channel)]
        needs = Text(f"parameters: {', '.join(sorted(compiled.required(language))) or 'none'}", "cyan")
        yield Panel(Group(*parts, needs), title=language, title_align="left", width=WIDTH)


def _channel_page(compiled: CompiledTemplate, language: str, channel: Channel) -> Iterator[Text]:
    content = compiled.version.contents[language][channel]
    names = ", ".join(sorted(compiled.required_on(language, channel))) or "none"
    yield Text(f"{channel} ({names})", "dim")
    yield Text(content.title, "bold")
    yield Text(content.body)
    yield Text("")
