"""Requests about what was not sent yet: pause, resume and cancel of a merchant's messages (issue 4)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.cancellations import MAX_CANCELLED
from worker.contract.field_types import AppId, Id64
from worker.contract.origins import Origin


class OriginRequest(BaseModel):
    """The body of `POST .../pause` and `.../resume`: a merchant, or one of its batches."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId  # noqa: N815 - the API's own spelling
    batchId: Id64 | None = None  # noqa: N815

    @property
    def origin(self) -> Origin:
        """What is meant."""
        return Origin(self.appId, self.batchId or "")


class CancelRequest(OriginRequest):
    """The body of `POST .../cancel`: all that waits of a merchant or of one of its batches, or the messages named."""

    requestIds: Annotated[list[Id64], Field(min_length=1, max_length=MAX_CANCELLED)] | None = None  # noqa: N815

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "CancelRequest":
        if self.batchId is not None and self.requestIds is not None:
            raise PydanticCustomError("both", "batchId and requestIds: only one of them may be given")
        return self
