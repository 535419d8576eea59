import asyncio
from typing import Any

import pytest

from api_adapter.cli import batch_waiting
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.batch_waiting import ended, messages, until_settled
from api_adapter.client.answers import Result
from api_adapter.client.batch_jobs import BatchStatus
from api_adapter.client.errors import UnknownError
from worker.contract.errors import LedgerFaultError, LedgerUnavailableError, TidingsError


def status(still_open: int, state: str = "RUNNING") -> BatchStatus:
    counts = {"open": still_open, "S": 9 - still_open, "U": 0, "F": 0, "forgotten": 1}
    received = {"received": 10, "accepted": 10, "duplicate": 0, "rejected": 0}
    fields = {"appId": "shop", "batchId": "june", "state": state, "createdAt": 1, "changedAt": 1, "parts": 1}
    return BatchStatus.model_validate({**fields, **counts, **received})


class Looked:
    """A batch that is seen so, look by look."""

    def __init__(self, *looks: BatchStatus | TidingsError) -> None:
        self.looks = list(looks)

    async def status(self) -> BatchStatus:
        look = self.looks.pop(0)
        if isinstance(look, TidingsError):
            raise look
        return look


def waited(first: BatchStatus, *looks: BatchStatus | TidingsError) -> BatchStatus:
    batch: Any = Looked(*looks)
    found = asyncio.run(until_settled(batch, first))
    assert batch.looks == []
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_waiting, "_GLANCE", 0)
    monkeypatch.setattr(batch_waiting, "_PATIENCE", 0)


def test_it_waits_until_nothing_is_open_and_is_quiet_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert waited(status(0)) == status(0)
    assert waited(*(status(left) for left in (9, 9, 4, 0))) == status(0)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("looks", "told"), [(29, 0), (30, 1), (31, 1)])
def test_a_terminal_is_told_of_another_state_and_of_a_long_silence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, looks: int, told: int
) -> None:
    for name, value in {"TTY_INTERACTIVE": "1", "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)

    waited(status(9), status(8), *[status(8, "PAUSED")] * looks, status(0))

    shown = capsys.readouterr().err
    assert shown.count("june is PAUSED") == 1
    assert shown.count("no outcome for 30 s: ") == told


UNKNOWN = UnknownError(
    Result(resultStatus="U", resultCode="UNKNOWN_EXCEPTION", resultMessage="Not known."), "Repeat it."
)
AWAY = "no answer yet: Redis is away. Looking again every 0 s; Ctrl-C is safe.\n"


@pytest.mark.parametrize(("error", "said"), [(LedgerUnavailableError("Redis is away"), AWAY * 2), (UNKNOWN, "")])
def test_while_there_is_no_answer_it_looks_again_and_says_once_what_the_client_does_not_say(
    capsys: pytest.CaptureFixture[str], error: TidingsError, said: str
) -> None:
    assert waited(status(9), error, error, error, status(4), error, status(0)) == status(0)

    assert capsys.readouterr() == ("", said)


def test_what_would_fail_with_each_look_ends_the_waiting() -> None:
    with pytest.raises(LedgerFaultError, match="a record"):
        waited(status(9), LedgerFaultError("a record can't be read"))


def test_a_refusal_ends_the_waiting() -> None:
    with pytest.raises(ArgumentError, match="BATCH_NOT_EXIST"):
        waited(status(9), ArgumentError("BATCH_NOT_EXIST: forgotten"))


def test_what_was_forgotten_has_ended() -> None:
    assert (messages(status(4)), ended(status(4))) == (10, 6)
