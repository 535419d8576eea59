"""Many sends from one stream of lines."""

import asyncio
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.batches import Batch, Line, LineReader
from api_adapter.reading import MAX_BODY
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.samples import send_body
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import Lane


class Desk(FrontDesk):
    """Sends lines; its ledger comes back after a number of pauses."""

    def __init__(self, back_after: int = 0) -> None:
        super().__init__()
        self.back_after = back_after
        self.waits: list[tuple[int, float]] = []
        self.results = io.BytesIO()
        self.batch = Batch(self.intake, CLIENT, self.results, self.wait, pauses=(0.0, 0.0, 0.0))

    def wait(self, unknown: int, pause: float) -> None:
        self.waits.append((unknown, pause))
        if len(self.waits) >= self.back_after:
            self.ledger.away = False

    def send_lines(self, *bodies: bytes) -> bool:
        return asyncio.run(self.batch.send(lines(*bodies)))

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(row) for row in self.results.getvalue().splitlines()]


def lines(*bodies: bytes) -> list[Line]:
    return [Line(number, body) for number, body in enumerate(bodies, 1)]


def read(content: bytes) -> list[Line]:
    return [line for chunk in LineReader(io.BytesIO(content)).chunks() for line in chunk]


def statuses(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(row["resultStatus"] for row in rows)


def test_lines_keep_their_numbers_whatever_ends_them() -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\n  \n\t{"b":2} \n{"c":3}'

    assert read(content) == [Line(1, b'{"a":1}'), Line(4, b'{"b":2}'), Line(5, b'{"c":3}')]


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda body: body.strip(b" \t\r\n\xef") == body)))
def test_every_line_is_read_once_and_in_order(bodies: list[bytes]) -> None:
    whole = [body.replace(b"\n", b"n") for body in bodies]

    assert [line.body for line in read(b"\n".join(whole))] == whole


def test_a_line_larger_than_a_send_may_be_is_cut_and_the_next_is_whole() -> None:
    largest, larger = b"x" * MAX_BODY, b"y" * (3 * MAX_BODY)

    first, second, third = read(largest + b"\r\n" + larger + b"\n{}\n")

    assert (first.body, third) == (largest, Line(3, b"{}"))
    assert MAX_BODY < len(second.body) < 2 * MAX_BODY


def test_what_follows_much_white_space_is_not_cut_off() -> None:
    padded = b"{}" + b" " * (2 * MAX_BODY) + b"and more"

    (line,) = read(padded)

    assert len(line.body) > MAX_BODY


def test_chunks_are_bounded_by_lines_and_by_bytes() -> None:
    small = [len(chunk) for chunk in LineReader(io.BytesIO(b"{}\n" * 4_500)).chunks()]
    large = [len(chunk) for chunk in LineReader(io.BytesIO((b"x" * 60_000 + b"\n") * 100)).chunks()]

    assert small == [2_000, 2_000, 500]
    assert sum(large) == 100
    assert max(large) * 60_001 < 5 * 1024 * 1024


def test_the_reader_says_how_far_it_is() -> None:
    content = b"{}\n\n" + b"x" * (2 * MAX_BODY) + b"\n{}"
    reader = LineReader(io.BytesIO(content))

    list(reader.chunks())

    assert reader.bytes_read == len(content)


def test_each_line_gets_its_result_and_a_bad_one_stops_no_other() -> None:
    desk = Desk()

    assert desk.send_lines(send_body(requestId="a"), b"{", send_body(requestId="b", colour="red", actionUrl="/x"))

    first, second, third = desk.rows()
    assert first == {
        "line": 1,
        "requestId": "a",
        "messageId": message_id(APP, "a"),
        "resultCode": "SUCCESS",
        "resultStatus": "S",
        "resultMessage": "success",
        "remarks": [],
    }
    assert (second["line"], second["requestId"], second["resultCode"]) == (2, None, "PARAM_ILLEGAL")
    assert third["remarks"] == ["$.actionUrl: is ignored beside redirectUrl; it is no documented field"]
    assert [record.lane for record in desk.ledger.records.values()] == [Lane.BULK] * 2


def test_the_totals_tell_each_code_with_its_first_line() -> None:
    desk = Desk()

    desk.send_lines(send_body(requestId="a"), b"{", b"[", send_body(requestId="b", templateCode="NONE"))

    totals = desk.batch.totals
    assert (totals.lines, totals.last_line) == (4, 4)
    assert totals.codes == {
        (ResultStatus.S, "SUCCESS"): 1,
        (ResultStatus.F, "PARAM_ILLEGAL"): 2,
        (ResultStatus.F, "TEMPLATE_NOT_EXIST"): 1,
    }
    assert (totals.examples["PARAM_ILLEGAL"].line, totals.examples["TEMPLATE_NOT_EXIST"].line) == (2, 4)


def test_R52_what_is_unknown_is_repeated_until_it_is_settled() -> None:
    desk = Desk(back_after=2)
    desk.ledger.away = True

    assert desk.send_lines(send_body(requestId="a"), b"{", send_body(requestId="b"))

    assert statuses(desk.rows()) == "SFS"
    assert desk.waits == [(2, 0.0), (2, 0.0)]


def test_what_stays_unknown_is_written_as_unknown_and_says_that_going_on_is_of_no_use() -> None:
    desk = Desk(back_after=99)
    desk.ledger.away = True

    assert not desk.send_lines(send_body(requestId="a"), send_body(requestId="b"))

    assert statuses(desk.rows()) == "UU"
    assert len(desk.waits) == 3


def test_a_chunk_with_any_answer_is_worth_going_on() -> None:
    desk = Desk(back_after=99)
    desk.ledger.away = True

    assert desk.send_lines(send_body(requestId="a"), b"{")

    assert statuses(desk.rows()) == "UF"


def test_who_interrupts_is_told_what_was_taken() -> None:
    desk = Desk()

    async def interrupted() -> None:
        sending = asyncio.ensure_future(desk.batch.send(lines(send_body(requestId="a"), b"{")))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    asyncio.run(interrupted())

    assert statuses(desk.rows()) == "SF"
    assert list(desk.ledger.records) == [message_id(APP, "a")]


def test_who_interrupts_a_pause_is_told_what_is_unknown() -> None:
    desk = Desk()
    desk.ledger.away = True
    batch = Batch(desk.intake, CLIENT, desk.results, lambda *_: None, pauses=(60.0,))

    async def interrupted() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batch.send(lines(send_body(requestId="a"), b"{")), 0.05)

    asyncio.run(interrupted())

    assert statuses(desk.rows()) == "UF"
