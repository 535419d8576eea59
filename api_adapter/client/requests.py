"""What is sent, as immutable models with the names of the API in snake_case.

The rules of the fields are the API's to judge: a refusal names the field by its JSON path. Only what can't be a send at
all is refused here. No text that these give holds the access token.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


class Content(_Part):
    """The parameters of one language (R8, R9)."""

    template_parameters: dict[str, str] = Field(default_factory=dict, repr=False)
    language: str | None = None
    """BCP 47; None: the template's default."""


class Send(_Part):
    """One message to one user (R1-R11).

    >>> Send(
    ...     app_id="333301", access_token="a-token", request_id="order-42", template_code="ORDER_READY",
    ...     redirect_url="/orders/42", templates=(Content(template_parameters={"who": "Mia"}, language="en-US"),),
    ... ).request_id
    'order-42'
    """

    app_id: str
    access_token: Annotated[str, Field(repr=False)]
    """A secret: it is in no text that this object gives but `body`."""
    request_id: str
    """The idempotency key, together with app_id: choose it before the first try, and repeat it."""
    template_code: str
    templates: tuple[Content, ...]
    redirect_url: str | None = Field(default=None, repr=False)
    action_url: str | None = Field(default=None, repr=False)
    extend_info: str | None = Field(default=None, repr=False)
    customer_belongs_to: str | None = None
    send_at: int | str | None = None
    """Not before this time: ISO 8601 with offset, or milliseconds since 1970."""
    expire_at: int | str | None = None
    """Never after this time, written likewise."""

    @property
    def body(self) -> bytes:
        """The send as the API takes it."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class Expectation(NamedTuple):
    """What a merchant's own books say of one requestId."""

    request_id: str
    status: Literal["S", "U", "F", "NEVER_SEEN"] | None = None
    """None: it was taken, whatever became of it."""


Sendable: TypeAlias = Send | Mapping[str, Any] | bytes
"""A send: as a model, as a mapping with the API's own names, or as JSON, such as a line of a file."""


def body_of(send: Sendable) -> bytes:
    """Return the JSON of a send."""
    match send:
        case bytes():
            return send
        case Send():
            return send.body
        case _:
            return orjson.dumps(dict(send))
