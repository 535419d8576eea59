"""Template definitions from YAML files: one template a document, any number of documents (CONTRACT R60).

    code: PAYMENT_NOTICE            # R4, R12
    channels: [PUSH, INBOX]
    default_language: en-US
    contents:
      en-US:
        PUSH: {title: "Paid ${amount}", body: "Thank you, ${who}"}
        INBOX: {title: "Payment of ${amount}", body: "..."}
    body_format: text               # or html; optional, as all below
    links: request                  # or parameters
    app_name: Noodle Bar
    app_icon: https://example.com/icon.png
    platform_template_code: WALLET_PAY_1

Everything in a file is text as written, see `yaml_nodes`.
"""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from yaml import MarkedYAMLError
from yaml.reader import ReaderError

from api_adapter.template_checks import contradictions, line_of, syntax_faults
from api_adapter.yaml_nodes import Document, Fault, Location, documents
from worker.contract.errors import TidingsError
from worker.contract.templates import GAPS, Content, TemplateDefinition

_KEY = "[key]"
_RULES = {
    "missing": "is required",
    "string_type": "must be a text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must not contain @, #, ?, white space or control characters",
    "enum": "must be {expected}",
}


class TemplateFileError(TidingsError):
    """A template file is refused; each line of the text is one fault: `file:line: reason`."""

    def __init__(self, faults: Iterable[str]) -> None:
        """Keep all faults; the error's text is all of them."""
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class WrittenTemplate(NamedTuple):
    """A template and the document that it was written in."""

    definition: TemplateDefinition
    document: Document

    def line_of(self, location: tuple[str, ...]) -> int:
        """Return the line of a part, named from the definition down, or of the nearest part above it."""
        return line_of(self.document, location)


def read_templates(path: Path) -> tuple[TemplateDefinition, ...]:
    """Return the templates of a file, in their order.

    Raises TemplateFileError with every fault of the file.
    """
    return tuple(written.definition for written in read_written(path))


def read_written(path: Path) -> list[WrittenTemplate]:
    """Return the templates of a file with their documents; raises as `read_templates` does."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TemplateFileError([f"{path}: can't be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise TemplateFileError([f"{path}:{line}: is not UTF-8"]) from None
    written, faults = _parse(text)
    if faults:
        raise TemplateFileError(f"{path}:{fault.line}: {fault.reason}" for fault in faults)
    return written


def parse_templates(text: str) -> tuple[list[TemplateDefinition], list[Fault]]:
    """Return the templates of a YAML text, and its faults by line; with faults the templates may not be all."""
    written, faults = _parse(text)
    return [one.definition for one in written], faults


def _parse(text: str) -> tuple[list[WrittenTemplate], list[Fault]]:
    found, faults = _read_documents(text)
    if not found and not faults:
        return [], [Fault(1, "holds no template")]
    written = []
    for document in found:
        definition, wrong = _read_definition(document)
        faults += wrong
        if definition is not None:
            written.append(WrittenTemplate(definition, document))
    faults += _repeated_codes(found)
    return written, sorted(set(faults), key=lambda fault: (fault.line, fault.reason))


def _read_documents(text: str) -> tuple[list[Document], list[Fault]]:
    found: list[Document] = []
    try:
        found.extend(documents(text))
    except RecursionError:
        return found, [Fault(1, "not YAML: nested too deeply")]
    except ReaderError as error:
        return found, [Fault(text.count("\n", 0, error.position) + 1, "not YAML: a control character")]
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return found, [Fault(line, f"not YAML: {error.problem}")]
    return found, []


def _read_definition(document: Document) -> tuple[TemplateDefinition | None, list[Fault]]:
    faults = [*document.faults, *contradictions(document), *syntax_faults(document)]
    try:
        definition = TemplateDefinition.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [*faults, *(_field_fault(document, detail) for detail in details if detail["type"] != GAPS)]
    return definition, faults


def _field_fault(document: Document, detail: ErrorDetails) -> Fault:
    location = tuple(part for part in detail["loc"] if part != _KEY)
    name = ".".join(map(str, location)) or "the document"
    return Fault(document.line_of(location), f"{name}: {_reason(location, detail)}")


def _reason(location: Location, detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "unknown field" + _suggestion(location)
    if detail["type"] == "enum" and location[0] in {"channels", "contents"}:
        return f"unknown channel, must be {detail['ctx']['expected']}"
    rule = _RULES.get(detail["type"])
    return detail["msg"] if rule is None else rule.format_map(detail.get("ctx", {}))


def _suggestion(location: Location) -> str:
    model = TemplateDefinition if len(location) == 1 else Content
    near = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
    return f", did you mean {near[0]}?" if near else ""


def _repeated_codes(found: Iterable[Document]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for document in found:
        code = document.data.get("code") if isinstance(document.data, dict) else None
        if isinstance(code, str):
            line = document.line_of(("code",))
            if first.setdefault(code, line) != line:
                yield Fault(line, f"code: the file has this template already, in line {first[code]}")
