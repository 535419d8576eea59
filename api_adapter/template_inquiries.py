"""Look-ups and previews of templates for clients (CONTRACT R60-R63).

Any client that is let in sees every template, as any may send by it. Drafts are not shown: what may be seen is what is
live or was so once.

Framework-free like intake: the query or the body in, a JSON-ready answer out.
"""

from urllib.parse import parse_qsl

from api_adapter.inquiries import Json, refusal, result_json
from api_adapter.live_templates import live_templates, published_template
from api_adapter.previewing import choice_json, chosen, view_json, views
from api_adapter.template_facts import required_json, required_on_json
from worker.contract.codes import SUCCESS, Result, ResultCode
from worker.contract.errors import ContractViolationError
from worker.contract.parsing import parse, parse_fields
from worker.contract.template_requests import TemplateInquiry, TemplatePreview, TemplatesInquiry
from worker.registry_ports import TemplateCatalogue
from worker.rendering import CompiledTemplate, CompiledTemplates

_NO_TEMPLATE = Result.refused(ResultCode.TEMPLATE_NOT_EXIST, "$.templateCode: no template has this code")
_NO_VERSION = Result.refused(
    ResultCode.TEMPLATE_NOT_EXIST, "$.version: was never live, or is no version of this template"
)


class TemplateInquiries:
    """Answers what clients ask about templates. Every method raises LedgerUnavailableError."""

    def __init__(self, templates: TemplateCatalogue, compiled: CompiledTemplates) -> None:
        """Keep the collaborators."""
        self._templates = templates
        self._compiled = compiled

    async def one(self, query: bytes) -> Json:
        """Return a template with its texts and the parameters that it requires."""
        try:
            inquiry = parse_fields(TemplateInquiry, _fields(query))
        except ContractViolationError as violation:
            return _illegal(violation)
        found = await self._find(inquiry.templateCode, inquiry.version)
        if isinstance(found, Result):
            return refusal(found)
        return {"result": result_json(SUCCESS), "template": _public(found)}

    async def many(self, query: bytes) -> Json:
        """Return a page of the live templates, without their texts; `next` leads on, null on the last page."""
        try:
            inquiry = parse_fields(TemplatesInquiry, _fields(query))
        except ContractViolationError as violation:
            return _illegal(violation)
        codes = [code for code in await self._templates.codes() if code > inquiry.after]
        page = codes[: inquiry.limit]
        found = await live_templates(self._templates, self._compiled, page) if page else {}
        items = [_summary(template) for code in page if isinstance(template := found.get(code), CompiledTemplate)]
        return {
            "result": result_json(SUCCESS),
            "templates": items,
            "next": page[-1] if len(codes) > len(page) else None,
        }

    async def preview(self, body: bytes) -> Json:
        """Return what each channel would show in each language that parameters were given for."""
        try:
            request = parse(TemplatePreview, body)
        except ContractViolationError as violation:
            return _illegal(violation)
        found = await self._find(request.templateCode, request.version)
        if isinstance(found, Result):
            return refusal(found)
        return {
            "result": result_json(SUCCESS),
            "templateCode": found.version.code,
            "templateVersion": found.version.version,
            "needsRedirectUrl": found.needs_link,
            "choice": choice_json(chosen(found, request.templates, request.preferredLanguages or ())),
            "languages": [view_json(view) for view in views(found, request.templates, request.redirectUrl or "")],
            "remarks": found.superfluous(request.templates),
        }

    async def _find(self, code: str, number: int | None) -> CompiledTemplate | Result:
        if number is None:
            live = await live_templates(self._templates, self._compiled, [code])
            return live.get(code, _NO_TEMPLATE)
        return await published_template(self._templates, self._compiled, code, number) or _NO_VERSION


def _fields(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


def _illegal(violation: ContractViolationError) -> Json:
    return refusal(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation)))


def _summary(template: CompiledTemplate) -> Json:
    version = template.version
    return {
        "code": version.code,
        "version": version.version,
        "channels": list(version.channels),
        "defaultLanguage": version.default_language,
        "languages": list(template.languages),
        "required": required_json(template),
        "needsRedirectUrl": template.needs_link,
    }


def _public(template: CompiledTemplate) -> Json:
    version = template.version
    return {
        **_summary(template),
        "requiredByChannel": required_on_json(template),
        "bodyFormat": version.body_format,
        "links": version.links,
        "appName": version.app_name,
        "appIcon": version.app_icon,
        "contents": {
            language: {channel.value: content.model_dump() for channel, content in contents.items()}
            for language, contents in version.contents.items()
        },
    }
