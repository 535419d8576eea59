"""A send as it is worked with (CONTRACT R1-R14): `parse` makes it of the JSON's fields.

Plain classes: compiled, what each send needs one of is made, and its fields are read, in a fraction of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from typing_extensions import override

from worker.contract import send_fields
from worker.contract.reprs import repr_without

_NO_PARAMETERS: Final[Mapping[str, str]] = {}


@final
@dataclass(init=False)
class ContentTemplate:
    """One entry of `templates`: the parameters of one language (R8, R9)."""

    language: Final[str | None]
    """A BCP 47 tag; None: the template's default."""
    parameters: Final[Mapping[str, str]]
    """By name; empty where none were sent."""

    def __init__(self, language: str | None, parameters: Mapping[str, str]) -> None:
        """Keep what was sent; written out as in `worker.contract.messages.NewMessage`."""
        self.language = language
        self.parameters = parameters

    @override
    def __repr__(self) -> str:
        return repr_without(self, "parameters")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic does with the JSON."""
        return core_schema.no_info_after_validator_function(
            _content_template, handler.generate_schema(send_fields.ContentTemplate)
        )


@dataclass(init=False)
class SendRequest:
    """The body of `POST /v2/miniprogram/message/send`; `send_fields` has its fields as the API spells them."""

    app_id: Final[str]
    access_token: Final[str]
    request_id: Final[str]
    template_code: Final[str]
    redirect_url: Final[str | None]
    action_url: Final[str | None]
    templates: Final[list[ContentTemplate]]
    extend_info: Final[str | None]
    customer_belongs_to: Final[str | None]
    send_at: Final[int | None]
    """When to send it, in milliseconds since 1970; an extension of ours, as the next."""
    expire_at: Final[int | None]

    def __init__(self, fields: send_fields.SendRequest) -> None:
        """Keep validated fields.

        Raises PydanticCustomError, which validation tells as its own, where two entries have the same language (R7).
        """
        self.app_id = fields["appId"]
        self.access_token = fields["accessToken"]
        self.request_id = fields["requestId"]
        self.template_code = fields["templateCode"]
        self.redirect_url = fields.get("redirectUrl")
        self.action_url = fields.get("actionUrl")
        self.templates = [_content_template(entry) for entry in fields["templates"]]
        self.extend_info = fields.get("extendInfo")
        self.customer_belongs_to = fields.get("customerBelongsTo")
        self.send_at = fields.get("sendAt")
        self.expire_at = fields.get("expireAt")
        if len(self.templates) > 1:
            _one_entry_a_language(self.templates)

    @override
    def __repr__(self) -> str:
        return repr_without(self, "access_token", "redirect_url", "action_url", "extend_info")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic does with the JSON."""
        return core_schema.no_info_after_validator_function(
            SendRequest, handler.generate_schema(send_fields.SendRequest)
        )


@final
class LenientSendRequest(SendRequest):
    """A send whose extendInfo may also be an object, where a setting allows that (R10)."""

    @classmethod
    @override
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic does with the JSON."""
        return core_schema.no_info_after_validator_function(
            LenientSendRequest, handler.generate_schema(send_fields.LenientSendRequest)
        )


def _content_template(fields: send_fields.ContentTemplate) -> ContentTemplate:
    return ContentTemplate(fields.get("language"), fields.get("templateParameters") or _NO_PARAMETERS)


def _one_entry_a_language(entries: list[ContentTemplate]) -> None:
    seen: dict[str | None, int] = {}
    for index, entry in enumerate(entries):
        first = seen.setdefault(entry.language, index)
        if first != index:
            raise PydanticCustomError(
                "language_twice",
                "templates[{first}] and templates[{second}] have the same language",
                {"first": first, "second": index},
            )
