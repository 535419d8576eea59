"""`tidings template lint`: what is wrong or suspicious about templates, in files or as they are stored."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic_core import PydanticCustomError

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, counted, harmless, print_json
from api_adapter.cli.saying import say
from api_adapter.cli.template_arguments import found
from api_adapter.template_files import TemplateFileError, read_written
from api_adapter.template_lint import LONGEST, Grade, Remark, lint
from worker.contract.field_types import normal_language
from worker.contract.templates import TemplateVersion

EXIT_FOUND = 1
EPILOG = (
    "Examples:\n\n"
    "tidings template lint payment_notice.yaml\n\n"
    "tidings template lint PAYMENT_NOTICE --language ko --language zh-Hant\n\n"
    "tidings template lint --longest 80     (every live template)\n\n"
    "Exit code: 0 nothing but notes, 1 errors or warnings, 2 an argument can't be used."
)


class _Line(NamedTuple):
    """A remark and where it is shown."""

    where: str
    """File and line, or template and version."""
    grade: Grade
    text: str


def lint_templates(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE|CODE]...", help="YAML files, or codes of live templates; default: all of those."),
    ] = None,
    *,
    language: Annotated[
        list[str] | None,
        typer.Option(help="A language that each template should have a text in; repeat for more."),
    ] = None,
    longest: Annotated[int, typer.Option(min=1, max=2048, help="Characters of the longest value.")] = LONGEST,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong or suspicious about templates. Nothing is stored.

    Languages that lack a parameter or a text, parameters of one channel alone, lengths with long values against the
    channels' limits, HTML where it is not rendered, and what looks like a parameter and is none.
    """
    with told():
        wanted = [_tag(tag) for tag in language or []]
        files = [Path(name) for name in names or [] if _is_file(name)]
        lines = [line for file in files for line in _of_file(file, longest, wanted)]
        codes = [name for name in names or [] if not _is_file(name)]
        if codes or not names:
            versions = _stored(codes)
            lines += [line for version in versions for line in _of_version(version, longest, wanted)]
        if as_json:
            print_json([line._asdict() for line in lines])
        else:
            for line in lines:
                say(f"{line.where}: {line.grade}: {harmless(line.text)}")
            say(_summary(lines))
        raise typer.Exit(EXIT_FOUND if any(line.grade is not Grade.NOTE for line in lines) else 0)


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name or Path(name).is_file()


def _tag(tag: str) -> str:
    try:
        return normal_language(tag)
    except PydanticCustomError:
        raise ArgumentError("--language: give a BCP 47 tag, such as en-US") from None


def _of_file(file: Path, longest: int, wanted: Sequence[str]) -> Iterator[_Line]:
    if not file.is_file():
        raise ArgumentError(f"{file}: there is no such file")
    try:
        written = read_written(file)
    except TemplateFileError as error:
        for fault in error.faults:
            line = fault.removeprefix(f"{file}:").partition(": ")
            yield _Line(f"{file}:{line[0]}", Grade.ERROR, line[2])
        return
    for one in written:
        for remark in lint(one.definition, longest, wanted):
            yield _Line(f"{file}:{one.line_of(remark.location)}", remark.grade, _text(remark))


def _of_version(version: TemplateVersion, longest: int, wanted: Sequence[str]) -> Iterator[_Line]:
    for remark in lint(version, longest, wanted):
        yield _Line(f"{version.code} version {version.version}", remark.grade, _text(remark))


def _text(remark: Remark) -> str:
    return f"{'.'.join(remark.location)}: {remark.text}"


def _stored(codes: Sequence[str]) -> Sequence[TemplateVersion]:
    async def main(services: Services) -> Sequence[TemplateVersion]:
        if not codes:
            return await services.templates.list()
        return [await found(services, code, None) for code in codes]

    return run(main)


def _summary(lines: Sequence[_Line]) -> str:
    counts = [sum(line.grade is grade for line in lines) for grade in Grade]
    return ", ".join(counted(number, grade) for number, grade in zip(counts, Grade, strict=True))
