"""The fields of a send as they come in JSON, validated and nothing else (CONTRACT R1-R15).

What works with a send has the classes of the same names of `worker.contract.send_request`, made of these. Typed dicts:
a million sends go through them, and pydantic fills one in two thirds of the time that a dataclass takes it.
"""

import json
from typing import Annotated, Required

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from worker.contract.field_types import AppId, ExtendInfo, Id64, Language, Token, Url, WalletName
from worker.contract.timing import Moment

LARGEST_SEND = 64 * 1024
"""Bytes of one send (R15)."""
MAX_TEMPLATES = 5


class ContentTemplate(TypedDict, total=False):
    """One entry of `templates`: the parameters of one language (R8, R9)."""

    language: Language | None
    templateParameters: dict[str, str] | None


class SendRequest(TypedDict, total=False):
    """The body of `POST /v2/miniprogram/message/send` (R1-R14). Unknown fields are ignored (R13)."""

    appId: Required[AppId]
    accessToken: Required[Token]
    requestId: Required[Id64]
    templateCode: Required[Id64]
    redirectUrl: Url | None
    actionUrl: Url | None
    templates: Required[Annotated[list[ContentTemplate], Field(min_length=1, max_length=MAX_TEMPLATES)]]
    extendInfo: ExtendInfo | None
    customerBelongsTo: WalletName | None
    sendAt: Moment | None
    expireAt: Moment | None


def _object_as_text(value: object) -> object:
    if not isinstance(value, dict):
        return value
    try:
        # Sorted, as the order of keys does not matter (R53); not by orjson, which refuses numbers beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    except ValueError:
        raise PydanticCustomError("not_json", "must hold nothing but JSON") from None


class LenientSendRequest(SendRequest, total=False):
    """A send whose extendInfo may also be an object, where a setting allows that (R10)."""

    extendInfo: Annotated[ExtendInfo, BeforeValidator(_object_as_text)] | None
