"""What the API answers, as immutable models; names are those of the API in snake_case, times are ms since 1970.

Fields that a newer API adds are ignored, codes that it adds are kept as they are.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from worker.contract.codes import ResultStatus
from worker.contract.outcomes import Reason

Status: TypeAlias = Literal["S", "U", "F", "NEVER_SEEN"]
"""Of a requestId: delivered, not known yet or for good, failed, or never taken (or forgotten)."""


class Model(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class Result(Model):
    """The `result` of an answer (R30-R43)."""

    code: Annotated[str, Field(alias="resultCode")]
    """One of `worker.contract.codes.ResultCode`, or a newer one."""
    status: Annotated[ResultStatus, Field(alias="resultStatus")]
    message: Annotated[str, Field(alias="resultMessage")] = ""


class SendAnswer(Model):
    """What the API says of one send."""

    result: Result
    """S: taken, durably. F: not taken; correct it and send it with the same requestId. U: repeat it."""
    request_id: str | None = None
    """None where the send has none that can be read."""
    message_id: str | None = None
    """Of what was taken, now or before under the same requestId."""
    extend_info: str | None = None
    """JSON with remarks under `lint`, where there are any."""

    @property
    def status(self) -> ResultStatus:
        """S, U or F."""
        return self.result.status

    @property
    def taken(self) -> bool:
        """Whether it will have an outcome."""
        return self.result.status is ResultStatus.S


class MessageStatus(Model):
    """What became of one requestId (R72, R73)."""

    request_id: str
    status: Status
    message_id: str | None = None
    reason: Reason | None = None
    """Why it is U."""
    settled_by: int | None = None
    """Until when it may be U; None: it is no U, or U for good."""
    partial: bool = False
    """F, but some channel has S."""


class Difference(MessageStatus):
    """A message of which a merchant's books and the ledger do not say the same."""

    index: int
    """Its place in the books."""
    expected: Status | None = None
    """What the books say; None: that it was taken."""


class ChannelOutcome(Model):
    """What became of a message on one channel."""

    channel: str
    status: Literal["S", "U", "F", "SKIPPED"]
    reason: Reason | None = None
    settled_by: int | None = None
    code: str | None = None
    message: str | None = None
    at: int | None = None


class Attempt(Model):
    """One attempt to deliver."""

    attempt: int
    claimed_at: int
    settled_at: int
    worker: str
    results: tuple[str, ...]
    """What was learnt of each channel, such as `PUSH=S:`."""


class Outcome(Model):
    """Everything that is known of one message (R70)."""

    message_id: str
    app_id: str
    request_id: str
    status: ResultStatus
    reason: Reason | None = None
    settled_by: int | None = None
    partial: bool = False
    template_code: str
    template_version: int
    language: str
    taken_at: int
    settled_at: int | None = None
    expires_at: int
    next_try_at: int | None = None
    dead_letter: str | None = None
    """Why it was given up."""
    channels: tuple[ChannelOutcome, ...]
    timeline: tuple[Attempt, ...]
