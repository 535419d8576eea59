"""How far a file is sent, on the disk: a run that was interrupted, or killed, goes on from there."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from api_adapter.send_files.totals import Example, Totals, Unknown
from worker.contract.codes import ResultStatus
from worker.contract.errors import TidingsError


class CheckpointError(TidingsError):
    """A checkpoint can't be gone on from; the text says why, and what to do."""


class CodeCount(BaseModel):
    """How many lines got a resultCode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: ResultStatus
    code: str
    number: int
    first: Example


class Checkpoint(BaseModel):
    """Everything up to `offset` has its answer, in the result files; it holds no token and no text of a user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    offset: int
    """Bytes of the file."""
    line: int
    """Number of the last line before."""
    digest: str
    """SHA-256 of those bytes: whether the file is still the same."""
    results: int
    """Bytes of the file of results that belong to them."""
    failed: int
    """Bytes of the file of failed lines."""
    codes: tuple[CodeCount, ...]
    unknown: tuple[Unknown, ...]
    """The lines among them that have no answer."""

    def totals(self) -> Totals:
        """Return what became of the lines up to here."""
        totals = Totals()
        totals.last_line = self.line
        totals.unknown = list(self.unknown)
        for count in self.codes:
            totals.statuses[count.status] += count.number
            totals.codes[count.status, count.code] = count.number
            totals.examples[count.code] = count.first
        return totals


def counts(totals: Totals) -> tuple[CodeCount, ...]:
    """Return the totals as a checkpoint has them."""
    return tuple(
        CodeCount(status=status, code=code, number=number, first=totals.examples[code])
        for (status, code), number in totals.codes.items()
        if number
    )


class CheckpointFile:
    """Where the checkpoint is; a write is there as a whole, or not at all."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        self.path = path

    def read(self) -> Checkpoint | None:
        """Return the checkpoint, None where there is none; raise CheckpointError for what is none."""
        try:
            return Checkpoint.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            raise CheckpointError(f"{self.path}: is no checkpoint of this version; run without --resume") from None

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint. Raises OSError."""
        spare = self.path.with_name(self.path.name + ".new")
        with spare.open("wb") as file:
            file.write(checkpoint.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        spare.replace(self.path)
        self._sync_directory()

    def remove(self) -> None:
        """Begin anew: nobody may go on from an older run. Raises OSError."""
        self.path.unlink(missing_ok=True)
        self._sync_directory()

    def _sync_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
