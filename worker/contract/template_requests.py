"""Requests about templates (CONTRACT R60-R63)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from worker.contract.field_types import Id64, Url, normal_language
from worker.contract.send_fields import MAX_TEMPLATES
from worker.contract.send_request import ContentTemplate

MAX_PAGE = 200
"""Templates that one look-up lists."""
MAX_PREFERRED = 20


class TemplateInquiry(BaseModel):
    """The query of `GET .../template`: one version of one template."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    templateCode: Id64  # noqa: N815
    version: Annotated[int, Field(ge=1, le=999_999_999)] | None = None
    """None: the live one."""


class TemplatesInquiry(BaseModel):
    """The query of `GET .../templates`: the live templates, by code, a page at a time."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    after: Annotated[str, Field(max_length=64)] = ""
    """The last code of the page before."""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE


class TemplatePreview(BaseModel):
    """The body of `POST .../templatePreview`: parameters as in a send, and the languages that a user prefers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    templateCode: Id64  # noqa: N815
    version: Annotated[int, Field(ge=1, le=999_999_999)] | None = None
    """None: the live one."""
    redirectUrl: Url | None = Field(default=None, repr=False)  # noqa: N815
    templates: Annotated[list[ContentTemplate], Field(min_length=1, max_length=MAX_TEMPLATES)]
    preferredLanguages: (  # noqa: N815
        Annotated[
            list[Annotated[str, Field(max_length=64), AfterValidator(normal_language)]],
            Field(max_length=MAX_PREFERRED),
        ]
        | None
    ) = None
    """BCP 47 tags, most preferred first."""
