"""Which callbacks a merchant wants of one batch job: of its definition, absent where it is as registered."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from worker.contract.callbacks import EVERY_OUTCOME, Outcomes
from worker.contract.codes import ResultStatus

_OUTCOMES = "callbackOutcomes"
_PROGRESS = "progressCallbacks"


class BatchCallbacks(NamedTuple):
    """What may be told of a batch; it narrows what the merchant registered, and never widens it."""

    outcomes: Outcomes = EVERY_OUTCOME
    """Of which outcomes of its messages."""
    progress: bool = True
    """Whether its progress is told."""

    def fields(self) -> dict[str, Any]:
        """Return what a definition says of it: nothing of what is as registered, so that it equals an older one."""
        fields: dict[str, Any] = {}
        if self.outcomes != EVERY_OUTCOME:
            fields[_OUTCOMES] = sorted(self.outcomes)
        if not self.progress:
            fields[_PROGRESS] = False
        return fields

    @classmethod
    def read(cls, definition: bytes) -> "BatchCallbacks":
        """Return what a stored definition says."""
        fields: Mapping[str, Any] = from_json(definition)
        outcomes = fields.get(_OUTCOMES)
        return cls(
            EVERY_OUTCOME if outcomes is None else frozenset(map(ResultStatus, outcomes)), fields.get(_PROGRESS, True)
        )
