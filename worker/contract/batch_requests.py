"""Requests about batch jobs: what a merchant says of a batch, validated as all requests are (CONTRACT R12, R13)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from worker.contract.batch_callbacks import BatchCallbacks
from worker.contract.batch_jobs import MAX_PARTS, MAX_ROWS
from worker.contract.callbacks import EVERY_OUTCOME
from worker.contract.codes import ResultStatus
from worker.contract.field_types import AppId, Id64
from worker.contract.requests import SendDefaults

MOST_RESULTS = 1_000
"""Results of a page."""


class BatchName(BaseModel):
    """Which batch: of an appId, under the merchant's own id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId  # noqa: N815 - the API's own spelling
    batchId: Id64  # noqa: N815


def _each_once(outcomes: list[str]) -> list[str]:
    if len(set(outcomes)) != len(outcomes):
        raise PydanticCustomError("outcome_twice", "must name each outcome once")
    return outcomes


CallbackOutcomes = Annotated[
    list[Literal["S", "F", "U"]],
    Field(max_length=len(EVERY_OUTCOME), json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]


class BatchCreation(SendDefaults):
    """The body of `POST .../batches/create`: a batch, and the fields that its rows have in common."""

    appId: AppId  # noqa: N815
    batchId: Id64  # noqa: N815
    callbackOutcomes: CallbackOutcomes | None = None  # noqa: N815
    """Of which outcomes of its messages callbacks tell, of those that the merchant registered; None: of all these."""
    progressCallbacks: StrictBool = True  # noqa: N815
    """Whether callbacks tell how far it is."""

    @property
    def callbacks(self) -> BatchCallbacks:
        """Which callbacks the merchant wants of it."""
        outcomes = self.callbackOutcomes
        return BatchCallbacks(
            EVERY_OUTCOME if outcomes is None else frozenset(map(ResultStatus, outcomes)), self.progressCallbacks
        )


class BatchRun(BatchName):
    """The body of `POST .../batches/run`; what is given is compared, so that none runs of which a part is missing."""

    parts: Annotated[int, Field(ge=1, le=MAX_PARTS, strict=True)] | None = None
    rows: Annotated[int, Field(ge=1, le=MAX_ROWS, strict=True)] | None = None


_DIGEST = re.compile("[0-9a-fA-F]{64}")


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise PydanticCustomError("digest", "must be a SHA-256 as 64 hexadecimal digits")
    return text


class PartName(BatchName):
    """The query of `POST .../batches/parts`."""

    part: Annotated[int, Field(ge=1, le=MAX_PARTS)]
    sha256: Annotated[str, AfterValidator(_digest), Field(json_schema_extra={"pattern": f"^{_DIGEST.pattern}$"})]
    """Of the body as it is sent, in hexadecimal digits."""


class ResultsPage(BatchName):
    """The body of `POST .../batches/results`: a page of outcomes, in the order of parts and rows."""

    status: ResultStatus | None = None
    """Only those; without it all."""
    after: Annotated[str, Field(max_length=32)] | None = None
    """`next` of the page before."""
    limit: Annotated[int, Field(ge=1, le=MOST_RESULTS, strict=True)] = 100


class ErrorsPage(BatchName):
    """The body of `POST .../batches/errors`: a page of rejected rows, in the order of parts and rows."""

    after: Annotated[str, Field(max_length=32)] | None = None
    """`next` of the page before."""
    csv: StrictBool = False
    """As CSV with a head, and the next page's `after` in the header Next-Page; else as JSON."""
