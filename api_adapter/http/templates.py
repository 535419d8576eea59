"""Look-ups and previews of templates (CONTRACT R60-R63)."""

from collections.abc import Mapping

from api_adapter.http.endpoint import Api, Endpoint, Reply
from api_adapter.http.schemas import COUNT, RESULT, TEXT, array_schema, object_schema
from api_adapter.http.views import CHOICE, VIEW
from api_adapter.inquiries import Json
from api_adapter.paths import TEMPLATE, TEMPLATE_PREVIEW, TEMPLATES
from api_adapter.reading import MAX_BODY
from worker.contract.messages import Channel
from worker.contract.template_requests import TemplateInquiry, TemplatePreview, TemplatesInquiry
from worker.contract.templates import BodyFormat, LinkSource


async def _one(api: Api, _: Mapping[str, str], query: bytes) -> Reply:
    return Reply(await api.template_inquiries.one(query))


async def _many(api: Api, _: Mapping[str, str], query: bytes) -> Reply:
    return Reply(await api.template_inquiries.many(query))


async def _preview(api: Api, _: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.template_inquiries.preview(body))


def _each(schema: Json) -> Json:
    return {"type": "object", "additionalProperties": schema}


_NAMES = array_schema(TEXT)
_SUMMARY: Json = {
    "code": TEXT,
    "version": COUNT,
    "channels": array_schema({"enum": [channel.value for channel in Channel]}),
    "defaultLanguage": TEXT,
    "languages": _NAMES,
    "required": {**_each(_NAMES), "description": "parameters that a send must bring, by language"},
    "needsRedirectUrl": {"type": "boolean"},
}
_CONTENT = object_schema({"title": TEXT, "body": TEXT})
_TEMPLATE: Json = {
    **_SUMMARY,
    "requiredByChannel": {**_each(_each(_NAMES)), "description": "parameters by language and channel"},
    "bodyFormat": {"enum": [body_format.value for body_format in BodyFormat]},
    "links": {"enum": [links.value for links in LinkSource]},
    "appName": TEXT,
    "appIcon": TEXT,
    "contents": {**_each(_each(_CONTENT)), "description": "texts by language and channel"},
}

ONE_TEMPLATE = Endpoint(
    path=TEMPLATE,
    name="template",
    summary="Look a template up: texts and required parameters of what is live, or was so once",
    request=TemplateInquiry,
    answer="TemplateAnswer",
    run=_one,
    max_body=0,
    method="GET",
    schemas={
        "TemplateAnswer": object_schema({"result": RESULT, "template": object_schema(_TEMPLATE)}, required=["result"]),
    },
)
MANY_TEMPLATES = Endpoint(
    path=TEMPLATES,
    name="templates",
    summary="List the live templates by code, a page at a time",
    request=TemplatesInquiry,
    answer="TemplatesAnswer",
    run=_many,
    max_body=0,
    method="GET",
    schemas={
        "TemplatesAnswer": object_schema(
            {
                "result": RESULT,
                "templates": array_schema(object_schema(_SUMMARY)),
                "next": {"type": ["string", "null"], "description": "`after` of the next page; null on the last"},
            },
            required=["result"],
        ),
    },
)
PREVIEW = Endpoint(
    path=TEMPLATE_PREVIEW,
    name="templatePreview",
    summary="Show what a template's channels show with some parameters, in each language",
    request=TemplatePreview,
    answer="TemplatePreviewAnswer",
    run=_preview,
    max_body=MAX_BODY,
    schemas={
        "TemplatePreviewAnswer": object_schema(
            {
                "result": RESULT,
                "templateCode": TEXT,
                "templateVersion": COUNT,
                "needsRedirectUrl": {"type": "boolean"},
                "choice": CHOICE,
                "languages": array_schema(VIEW),
                "remarks": {**_NAMES, "description": "what was given and is of no use"},
            },
            required=["result"],
        ),
    },
)
