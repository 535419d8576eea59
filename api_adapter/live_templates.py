"""The live templates that a chunk of sends names, each compiled or with the reason why it can't be used."""

from collections.abc import Mapping, Sequence

import structlog

from worker.contract.codes import Result, ResultCode
from worker.contract.errors import LedgerMismatchError
from worker.contract.templates import TemplateVersion
from worker.registry_ports import TemplateCatalogue, Templates
from worker.rendering import CompiledTemplate, CompiledTemplates, TemplateSyntaxError

_UNUSABLE = Result.refused(
    ResultCode.PROCESS_FAIL,
    "$.templateCode: the template can't be used as it is stored; the platform has to put it again",
)

log = structlog.get_logger(__name__)


async def live_templates(
    templates: Templates,
    compiled: CompiledTemplates,
    codes: Sequence[str],
) -> dict[str, CompiledTemplate | Result]:
    """Return what each code that exists stands for; one that another release wrote spoils no other (R42).

    Raises LedgerUnavailableError when the store did not answer.
    """
    try:
        live = await templates.live(codes)
    except LedgerMismatchError as error:
        if len(codes) == 1:
            log.error("template_unreadable", reason=str(error))  # noqa: TRY400 - the text says all, a trace nothing
            return {codes[0]: _UNUSABLE}
        return await _one_by_one(templates, compiled, codes)
    return _each_compiled(live, compiled)


async def published_template(
    templates: TemplateCatalogue,
    compiled: CompiledTemplates,
    code: str,
    number: int,
) -> CompiledTemplate | Result | None:
    """Return a version that is live or was so once, or why it can't be used; None where there is none.

    Raises LedgerUnavailableError when the store did not answer.
    """
    try:
        version = await templates.published(code, number)
    except LedgerMismatchError as error:
        log.error("template_unreadable", reason=str(error))  # noqa: TRY400 - the text says all, a trace nothing
        return _UNUSABLE
    return None if version is None else _each_compiled({code: version}, compiled)[code]


async def _one_by_one(
    templates: Templates,
    compiled: CompiledTemplates,
    codes: Sequence[str],
) -> dict[str, CompiledTemplate | Result]:
    found: dict[str, CompiledTemplate | Result] = {}
    for code in codes:
        found |= await live_templates(templates, compiled, [code])
    return found


def _each_compiled(
    live: Mapping[str, TemplateVersion],
    compiled: CompiledTemplates,
) -> dict[str, CompiledTemplate | Result]:
    found: dict[str, CompiledTemplate | Result] = {}
    for code, version in live.items():
        try:
            found[code] = compiled.of(version)
        except TemplateSyntaxError as error:
            log.error("template_malformed", reason=str(error))  # noqa: TRY400 - as above
            found[code] = _UNUSABLE
    return found
