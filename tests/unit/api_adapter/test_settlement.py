"""The file of a day's settlement."""

import asyncio
import csv
import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.settlement import COLUMNS, Settlement, Unsorted
from tests.samples import INBOX, NOON, PUSH
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import DeliveryState, Lane
from worker.contract.outcomes import DeliveryOutcome
from worker.contract.settlements import Taken, TakenMessage

S, F, OPEN, SKIPPED = DeliveryState.S, DeliveryState.F, DeliveryState.OPEN, DeliveryState.SKIPPED


def outcome(request_id: str = "r1", taken_at: int = NOON, **fields: Any) -> TakenMessage:  # noqa: ANN401 - any field
    whole: dict[str, Any] = {
        "message_id": message_id("app", request_id),
        "app_id": "app",
        "request_id": request_id,
        "lane": Lane.BULK,
        "template_code": "PAYMENT_NOTICE",
        "template_version": 3,
        "language": "en-US",
        "taken_at": taken_at,
        "expires_at": NOON + 3_600_000,
        "deliveries": (delivery(S), DeliveryOutcome(INBOX, S, "", "", NOON + 2_000)),
        "attempts": 1,
        "dead_cause": "",
    }
    return TakenMessage(**whole | fields)


def delivery(state: DeliveryState, code: str = "", at: int | None = NOON + 1_000) -> DeliveryOutcome:
    return DeliveryOutcome(PUSH, state, code, "a text of the gateway", at)


def written(directory: Path, *parts: Sequence[TakenMessage]) -> tuple[Settlement, bytes, list[int]]:
    """Return what a file holds, the file, and how far it was told to be."""

    async def taken() -> AsyncIterator[Taken]:
        for part in parts:
            yield Taken(100, tuple(part))

    file = io.BytesIO()
    told: list[int] = []

    async def write() -> Settlement:
        unsorted = Unsorted(directory)
        await unsorted.collect(taken(), told.append)
        return await unsorted.write(file, told.append)

    settlement = asyncio.run(write())
    return settlement, file.getvalue(), told


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_row_tells_the_outcome_of_the_whole_and_of_each_channel(tmp_path: Path) -> None:
    _, content, _ = written(tmp_path, [outcome()])

    assert rows(content) == [
        {
            "requestId": "r1",
            "messageId": message_id("app", "r1"),
            "appId": "app",
            "takenAt": "2023-11-14T22:13:20.000Z",
            "status": "S",
            "reason": "",
            "settledAt": "2023-11-14T22:13:22.000Z",
            "settledBy": "",
            "pushStatus": "S",
            "pushCode": "",
            "pushAt": "2023-11-14T22:13:21.000Z",
            "inboxStatus": "S",
            "inboxCode": "",
            "inboxAt": "2023-11-14T22:13:22.000Z",
            "deadLetter": "",
            "attempts": "1",
            "lane": "bulk",
            "templateCode": "PAYMENT_NOTICE",
            "templateVersion": "3",
            "language": "en-US",
        }
    ]


def test_what_is_open_is_U_with_the_time_by_which_it_is_settled(tmp_path: Path) -> None:
    _, content, _ = written(tmp_path, [outcome(deliveries=(delivery(OPEN, "BUSY"),))])

    (row,) = rows(content)
    assert [row[name] for name in ("status", "reason", "settledAt", "settledBy", "pushCode", "inboxStatus")] == [
        "U",
        "OPEN",
        "",
        "2023-11-14T23:13:20.000Z",
        "BUSY",
        "",
    ]


def test_what_was_delivered_in_part_and_what_was_skipped_say_so(tmp_path: Path) -> None:
    partly = outcome("a", deliveries=(delivery(F, "GONE"), DeliveryOutcome(INBOX, S, "", "", NOON)))
    skipped = outcome("b", deliveries=(delivery(SKIPPED, at=None), DeliveryOutcome(INBOX, S, "", "", NOON)))

    _, content, _ = written(tmp_path, [partly, skipped])

    first, second = rows(content)
    assert (first["status"], first["reason"], first["pushCode"]) == ("F", "PARTIAL", "GONE")
    assert (second["status"], second["pushStatus"], second["pushAt"]) == ("S", "SKIPPED", "")


def test_the_totals_and_the_digest_are_those_of_the_file(tmp_path: Path) -> None:
    failed = outcome("b", deliveries=(delivery(F, "X"),), dead_cause="TRIES")

    settlement, content, told = written(tmp_path, [outcome("a"), failed], [outcome("c")])

    assert settlement.statuses == {ResultStatus.S: 2, ResultStatus.F: 1}
    assert settlement.messages == 3
    assert settlement.digest == hashlib.sha256(content).hexdigest()
    assert told == [100, 200, 3]


def test_no_text_of_the_gateway_is_in_the_file(tmp_path: Path) -> None:
    _, content, _ = written(tmp_path, [outcome(deliveries=(delivery(F, "X"),))])

    assert b"a text" not in content


def test_a_day_without_messages_is_a_file_of_headings(tmp_path: Path) -> None:
    settlement, content, _ = written(tmp_path)

    assert content.decode() == ",".join(COLUMNS) + "\n"
    assert settlement.messages == 0


def test_a_text_with_commas_quotes_and_lines_is_one_cell(tmp_path: Path) -> None:
    _, content, _ = written(tmp_path, [outcome('a,"b"', template_code="x\ny")])

    assert [(row["requestId"], row["templateCode"]) for row in rows(content)] == [('a,"b"', "x\ny")]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300)), max_size=80))
def test_rows_are_in_the_order_of_taking_and_what_was_read_twice_is_there_once(
    tmp_path_factory: Any,  # noqa: ANN401 - pytest's own
    found: list[tuple[int, int]],
) -> None:
    messages = {number: outcome(f"r{number:03}", NOON + at) for at, number in found}
    read = [messages[number] for _, number in found]

    _, content, _ = written(tmp_path_factory.mktemp("settlement"), read[:40], read[40:])

    expected = sorted((one.taken_at, one.request_id) for one in messages.values())
    assert [row["requestId"] for row in rows(content)] == [request_id for _, request_id in expected]


def test_who_stops_it_does_not_wait_for_the_end_of_the_file(tmp_path: Path) -> None:
    messages = tuple(outcome(f"r{number}") for number in range(5_000))
    file, told = io.BytesIO(), list[int]()

    async def taken() -> AsyncIterator[Taken]:
        yield Taken(5_000, messages)

    async def write() -> None:
        unsorted = Unsorted(tmp_path)
        await unsorted.collect(taken(), lambda _: None)
        task = asyncio.current_task()
        assert task is not None

        def stop(number: int) -> None:
            told.append(number)
            task.cancel()

        await unsorted.write(file, stop)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(write())

    assert told == [2_000]


def test_a_cancellation_that_a_library_loses_is_heeded_after_the_next_part(tmp_path: Path) -> None:
    async def taken() -> AsyncIterator[Taken]:
        while True:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            yield Taken(1, (outcome(),))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Unsorted(tmp_path).collect(taken(), lambda _: None))
