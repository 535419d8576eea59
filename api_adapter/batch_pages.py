"""Pages of what is told of a batch job, and the cursors that lead from one to the next."""

import re
from collections.abc import Sequence

from api_adapter.inquiries import Json, result_json
from worker.contract.batch_jobs import place_of
from worker.contract.codes import SUCCESS
from worker.contract.errors import ContractViolationError

_CURSOR = re.compile(r"([0-9]{1,4})\.([0-9]{1,6})")


def page(items: Sequence[Json], following: str | None) -> Json:
    """Return a page as an answer; `following` is the cursor of the next one, None: it is the last."""
    return {"result": result_json(SUCCESS), "items": items, "next": following}


def cursor(part: int, number: int) -> str:
    """Return what leads to what comes after a place in a part."""
    return f"{part}.{number}"


def read_cursor(after: str | None) -> tuple[int, int] | None:
    """Return part and number that `cursor` wrote; raise ContractViolationError for anything else."""
    if after is None:
        return None
    read = _CURSOR.fullmatch(after)
    if read is None:
        raise ContractViolationError(["$.after: must be `next` of the page before"])
    return int(read[1]), int(read[2])


def place_after(after: str | None) -> int:
    """Return the row's place that a cursor names, -1 without one; raise ContractViolationError."""
    read = read_cursor(after)
    return -1 if read is None else place_of(*read)
