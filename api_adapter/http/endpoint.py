"""What an operation of the API is: where it is called, what it takes, what it answers and what runs it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from api_adapter.answer_signatures import AnswerHeaders
from api_adapter.authentication import Authentication
from api_adapter.batch_jobs import BatchDesk
from api_adapter.batch_sending import BatchSending
from api_adapter.batch_uploading import PartUploads
from api_adapter.http.opening import Opening
from api_adapter.inquiries import Inquiries, Json, refusal
from api_adapter.intake import Intake
from api_adapter.linter import Linter
from api_adapter.origins import Origins
from api_adapter.template_inquiries import TemplateInquiries
from worker.contract.codes import Result, ResultCode
from worker.ports import Durability, Figures, Records


@dataclass(frozen=True, slots=True)
class Api:
    """What the operations call; made when the server starts."""

    authentication: Authentication
    answer_headers: AnswerHeaders
    intake: Intake
    batch_sending: BatchSending
    batches: BatchDesk
    uploads: PartUploads
    inquiries: Inquiries
    linter: Linter
    template_inquiries: TemplateInquiries
    origins: Origins
    records: Records
    figures: Figures
    opening: Opening
    durability: Durability
    body_timeout: int
    """Milliseconds that a request's body may take to arrive, and as long again for each MiB of it that came."""


class Reply(NamedTuple):
    """The answer of an operation."""

    content: Json | bytes
    """Bytes: what is no JSON; `headers` then say what it is."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Beside those that every answer has."""
    status: int = 200
    """413 and 408 for what never reached the API, as it is too large or too slow; 200 for every result (R30)."""


def too_large(text: str) -> Reply:
    """Return the answer to a body that is larger than it may be (R15)."""
    return Reply(refusal(Result.refused(ResultCode.PARAM_ILLEGAL, text)), status=413)


def too_slow(text: str) -> Reply:
    """Return the answer to a body that takes too long."""
    return Reply(refusal(Result.refused(ResultCode.PARAM_ILLEGAL, text)), status=408)


Operation: TypeAlias = Callable[[Api, Mapping[str, str], bytes], Awaitable[Reply]]
"""Gets the request's headers, names in lower case, and its body as it was sent, or the query of a GET.

The caller is let in already.
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation; the server's routes and the OpenAPI document are both made from it."""

    path: str
    """Without the second root that a setting may give."""
    name: str
    """The operationId."""
    summary: str
    request: type[object]
    """The model that validates the body, or the query of a GET."""
    answer: str
    """Name of the answer's schema, one of `schemas` or of those that all have."""
    run: Operation
    max_body: int
    """Bytes (R15)."""
    method: Literal["POST", "GET"] = "POST"
    schemas: Mapping[str, Json] = field(default_factory=dict)
    """Schemas of its own that the answer's names, by name."""
    media_types: tuple[str, ...] = ()
    """Of its answers, beside JSON."""
    headers: Mapping[str, Json] = field(default_factory=dict)
    """Descriptions of the headers that its answers have beside those of all."""
