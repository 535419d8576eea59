import asyncio
import csv
import gzip
import io
import tracemalloc
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from api_adapter.authentication import SignedCall
from api_adapter.batch_records import RowFormat
from api_adapter.batch_rows import read_rows
from api_adapter.batch_uploading import MAX_PART_BODY, MAX_PART_CONTENT, PartBody
from api_adapter.clients import Caller
from api_adapter.decompressing import Encoding
from api_adapter.intake import BatchedSend
from api_adapter.places import AT_ONCE_PER_CLIENT
from api_adapter.reading import MAX_BODY
from tests.asgi_calls import JSON, Call, exchange
from tests.batch_jobs import (
    BATCH,
    CLIENT_ID,
    CSV,
    DEFAULTS,
    NDJSON,
    ROOT,
    asked,
    created,
    ids,
    line,
    lines,
    numbers,
    part_path,
    uploaded,
)
from tests.fakes.origins import FakeBatches, FakeCancellations, FakePauses
from tests.front_desk import APP, CLIENT, TOKEN, FrontDesk, grant, user
from worker.batch_keeping import CARRIED_OUT_BY, BatchKeeper
from worker.batch_ports import Noted
from worker.contract.batch_jobs import PAUSE, RUN, Extent, Upload, place_of
from worker.contract.batch_requests import BatchCreation, BatchName
from worker.contract.callbacks import Outcomes
from worker.contract.clients import RegisteredClient
from worker.contract.codes import Result, ResultCode
from worker.contract.identity import shard_of
from worker.contract.messages import (
    Acceptance,
    Channel,
    DeliveryState,
    DeliveryUpdate,
    Lane,
    NewMessage,
    Settlement,
    Verdict,
)
from worker.contract.origins import BatchPart, BatchRow, BatchStart, Origin

GZIP = ("Content-Encoding", "gzip")
NAMES = [f"r{number}" for number in range(10)]


def with_batch(**fields: object) -> FrontDesk:
    desk = FrontDesk()
    assert created(desk, **fields)["result"]["resultStatus"] == "S"
    return desk


def released(desk: FrontDesk) -> set[str]:
    """Return what the ledger releases by now."""

    async def release() -> set[str]:
        hints = await desk.ledger.release(await desk.ledger.backlogged())
        return {one for hint in hints for one in hint.message_ids}

    return asyncio.run(release())


def settle(desk: FrontDesk, state: DeliveryState) -> None:
    """Have everything that is due end so."""
    updates = tuple(DeliveryUpdate(channel, state) for channel in Channel)

    async def work() -> None:
        for shard in range(desk.ledger.shards):
            due = [one for one, record in desk.ledger.records.items() if record.due_at is not None]
            for claim in await desk.ledger.claim(shard, due, f"c{shard}"):
                settlement = Settlement(claim.message_id, claim.claim_id, claim.attempt, Verdict.FINAL, updates, 1)
                await desk.ledger.settle([settlement])

    asyncio.run(work())


def paused(desk: FrontDesk) -> dict[str, Any]:
    """Pause the batch as any batch of its merchant, and return what is answered."""
    return _paused_or_ended(desk, "pause")


def ended(desk: FrontDesk) -> dict[str, Any]:
    """End that pause, and return what is answered."""
    return _paused_or_ended(desk, "resume")


def _paused_or_ended(desk: FrontDesk, verb: str) -> dict[str, Any]:
    body = orjson.dumps({"appId": APP, "batchId": BATCH})
    return exchange(desk.app(), Call(f"/v2/miniprogram/message/{verb}", [body], headers=(JSON, CLIENT_ID))).json


def test_a_batch_is_created_once_and_another_definition_is_refused() -> None:
    desk = FrontDesk()

    first, again = created(desk), created(desk)

    assert first == again
    assert (first["state"], first["parts"], first["open"]) == ("HELD", 0, 0)
    assert created(desk, redirectUrl="/other")["result"]["resultCode"] == "REPEAT_REQ_INCONSISTENT"


def test_the_spelling_of_a_definition_does_not_matter() -> None:
    desk = with_batch(templates=[{"language": "en-US", "templateParameters": {"b": "2", "a": "1"}}], extendInfo=None)

    assert (
        created(desk, templates=[{"templateParameters": {"a": "1", "b": "2"}, "language": "en_us"}])["state"] == "HELD"
    )


@pytest.mark.parametrize(
    "value", ["1" + "0" * 400, "[1e999, -1e999]", '{"a": {"b": 18446744073709551616}}', "true", '""']
)
def test_a_common_extend_info_of_any_json_is_kept_and_judged_with_each_row(value: str) -> None:
    desk = FrontDesk()
    whole = orjson.dumps({"appId": APP, "batchId": BATCH, **DEFAULTS})[:-1] + f', "extendInfo": {value}}}'.encode()

    answers = [exchange(desk.app(), Call(f"{ROOT}create", [whole], headers=[JSON, CLIENT_ID])) for _ in range(2)]
    received = numbers(uploaded(desk, 1, lines(NAMES[:1])).json)

    assert [answer.code for answer in answers] == ["SUCCESS", "SUCCESS"]
    assert received == ((1, 0, 0) if value == '""' else (0, 0, 1))


def test_rows_are_held_until_the_batch_is_run() -> None:
    desk = with_batch()

    answer = uploaded(desk, 1, lines(NAMES)).json

    assert (answer["part"], answer["rows"], numbers(answer)) == (1, 10, (10, 0, 0))
    assert set(desk.ledger.records) == set(ids(NAMES))
    assert {record.lane for record in desk.ledger.records.values()} == {Lane.BULK}
    assert (released(desk), desk.hints.published) == (set(), [])
    assert asked(desk, "run")["state"] == "RUNNING"
    assert released(desk) == set(ids(NAMES))


def test_parts_come_in_any_order_and_the_same_again_is_no_part_more() -> None:
    desk = with_batch()
    contents = {number: lines([f"{number}-{row}" for row in range(5)]) for number in (7, 2, 1)}

    first = [uploaded(desk, number, content).json for number, content in contents.items()]
    again = [uploaded(desk, number, content).json for number, content in contents.items()]

    assert first == again
    assert asked(desk, "status")["received"] == 15
    assert len(desk.ledger.records) == 15


def test_another_content_of_a_part_is_refused() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))

    answer = uploaded(desk, 1, lines(["other"]))

    assert answer.code == "REPEAT_REQ_INCONSISTENT"
    assert len(desk.ledger.records) == 10


def test_bad_rows_are_rejected_alone_and_told_by_number_requestId_and_reason() -> None:
    desk = with_batch()
    desk.users.grants["late"] = grant(expires_at=1)
    content = b"".join(
        [
            line("a"),
            b"\n",
            b"no json\n",
            line("c", redirectUrl=7),
            line("d", accessToken="late"),
            line("e", appId="another"),
            b"x" * 70_000 + b"\n",
            line("f", templates=[{"templateParameters": {"who": "x" * 65_400}}]),
            line("g"),
        ]
    )

    answer = uploaded(desk, 3, content).json
    errors = asked(desk, "errors")

    assert numbers(answer) == (2, 0, 6)
    assert answer["codes"]["EXPIRED_ACCESS_TOKEN"] == {
        "rows": 1,
        "firstRow": 5,
        "message": "$.accessToken: is past its time",
    }
    assert [(row["part"], row["row"], row["requestId"], row["resultCode"]) for row in errors["items"]] == [
        (3, 3, "", "PARAM_ILLEGAL"),
        (3, 4, "c", "PARAM_ILLEGAL"),
        (3, 5, "d", "EXPIRED_ACCESS_TOKEN"),
        (3, 6, "e", "PARAM_ILLEGAL"),
        (3, 7, "", "PARAM_ILLEGAL"),
        (3, 8, "", "PARAM_ILLEGAL"),
    ]
    assert asked(desk, "errors", after=errors["next"]) == {"result": errors["result"], "items": [], "next": None}


def test_errors_are_had_as_csv_page_by_page() -> None:
    desk = with_batch()
    uploaded(desk, 1, b"".join(line(name, templateCode="NONE") for name in ("a", "b")))

    body = b'{"appId":"%s","batchId":"%s","csv":true}' % (APP.encode(), BATCH.encode())
    answer = exchange(desk.app(), Call(ROOT + "errors", [body], headers=(JSON, CLIENT_ID)))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["next-page"] == "1.1"
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [(row["part"], row["row"], row["requestId"], row["resultCode"]) for row in rows] == [
        ("1", "1", "a", "TEMPLATE_NOT_EXIST"),
        ("1", "2", "b", "TEMPLATE_NOT_EXIST"),
    ]


def test_neither_tokens_nor_texts_are_told_of_rejected_rows() -> None:
    desk = with_batch()
    with capture_logs() as logs:
        uploaded(
            desk,
            1,
            line("a", accessToken="MARKED", redirectUrl=["MARKED"])
            + line("b", accessToken="MARKED")
            + line("c", templateCode="NONE", templates=[{"templateParameters": {"who": "MARKED"}}]),
        )
        told = [asked(desk, verb) for verb in ("errors", "lint", "status")]

    assert "MARKED" not in str(told)
    assert "MARKED" not in str(logs)


def test_rejected_rows_are_corrected_and_uploaded_as_another_part() -> None:
    desk = with_batch()
    uploaded(desk, 1, line("a") + line("b", templateCode="NONE"))
    asked(desk, "run")

    answer = uploaded(desk, 2, line("b")).json

    assert numbers(answer) == (1, 0, 0)
    assert released(desk) == set(ids(["a"]))  # b went on at once: the batch runs
    assert asked(desk, "status")["accepted"] == 2


def test_a_requestId_that_was_taken_before_is_a_duplicate_and_another_content_rejected() -> None:
    desk = with_batch()
    desk.send(requestId="before", redirectUrl="/pages/1")

    answer = uploaded(desk, 1, line("before") + line("a") + line("a") + line("before", redirectUrl="/other")).json

    assert numbers(answer) == (1, 2, 1)
    assert list(answer["codes"]) == ["REPEAT_REQ_INCONSISTENT"]


def test_a_row_that_an_unfinished_upload_took_is_accepted() -> None:
    """As after a kill of the API: the part is begun, some of its rows are held, and nobody was answered."""
    desk = with_batch()
    content = lines(NAMES)
    batch = Origin(APP, BATCH)

    async def begin_and_die() -> None:
        await desk.jobs.begin(Upload(batch, 1, "killed"), sha256(content).hexdigest(), Extent(10, 10))
        taken = [
            BatchedSend(place_of(1, row + 1), orjson.loads(line(NAMES[row])) | DEFAULTS | {"appId": APP})
            for row in range(4)
        ]
        await desk.intake.take_rows({"client-id": CLIENT}, BatchPart(BATCH, BatchStart.PAUSED), taken)

    asyncio.run(begin_and_die())
    assert set(desk.ledger.records) == set(ids(NAMES[:4]))
    assert asked(desk, "run")["result"]["resultCode"] == "BATCH_STATE_ILLEGAL"
    assert asked(desk, "status")["lacking"] == [1]

    answer = uploaded(desk, 1, content).json

    assert numbers(answer) == (10, 0, 0)
    assert len(desk.ledger.records) == 10
    assert asked(desk, "run")["state"] == "RUNNING"


def test_a_part_that_the_store_does_not_answer_is_unknown_and_may_come_again() -> None:
    desk = with_batch()
    real = desk.ledger.accept

    async def away(*_args: object, **_kwargs: object) -> None:
        desk.ledger.away = True
        await desk.ledger.ping()

    desk.ledger.accept = away  # type: ignore[method-assign, assignment]
    assert uploaded(desk, 1, lines(NAMES)).code == "UNKNOWN_EXCEPTION"
    desk.ledger.away, desk.ledger.accept = False, real  # type: ignore[method-assign]

    assert numbers(uploaded(desk, 1, lines(NAMES)).json) == (10, 0, 0)


def test_a_csv_part_is_taken() -> None:
    desk = with_batch()
    desk.users.grants["t2"] = grant(user(customer_id="c2"))
    content = f"requestId,accessToken,p.who,city\na,{TOKEN},Ann,Rome\nb,t2,,Oslo\nc,unknown,X,\n".encode()

    answer = uploaded(desk, 1, content, CSV).json

    assert (answer["rows"], numbers(answer), answer["ignoredColumns"]) == (3, (2, 0, 1), ["city"])
    assert [payload.parameters for payload in desk.taken()] == [{"who": "Ann"}, {"who": "XiaoMing"}]
    assert [row["row"] for row in asked(desk, "errors")["items"]] == [4]


def test_a_compressed_part_is_taken_and_its_digest_is_of_what_was_sent() -> None:
    desk = with_batch()
    content = gzip.compress(lines(NAMES))

    assert numbers(uploaded(desk, 1, content, NDJSON, GZIP).json) == (10, 0, 0)


@pytest.mark.parametrize(
    ("headers", "content", "told"),
    [
        ((NDJSON, GZIP), lines(["a"]), "$: the body is not gzip"),
        ((NDJSON, GZIP), gzip.compress(lines(["a"]), mtime=0)[:-3], "the body is not whole"),
        ((NDJSON, ("Content-Encoding", "br")), lines(["a"]), "header Content-Encoding: must be gzip, or absent"),
        ((NDJSON,), b"\n\n", "has no rows"),
        ((CSV,), b"requestId,accessToken\n", "has no rows"),
        ((CSV,), b"requestId\n", "row 1: the head lacks the column accessToken"),
        ((CSV,), b'requestId,accessToken\na,"b', "row 2: unexpected end of data"),
    ],
)
def test_what_cannot_be_read_whole_is_refused_whole(
    headers: tuple[tuple[str, str], ...], content: bytes, told: str
) -> None:
    desk = with_batch()

    answer = uploaded(desk, 1, content, *headers)

    assert answer.code == "PARAM_ILLEGAL"
    assert told in answer.json["result"]["resultMessage"]
    assert asked(desk, "status")["parts"] == 0


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"sha256": "0" * 64}, "query sha256: is not that of the body as it came"),
        ({"sha256": "0"}, "query sha256: "),
        ({"part": "0"}, "query part: "),
        ({"part": "1001"}, "query part: "),
        ({"part": "x"}, "query part: "),
        ({"part": None}, "query part: is required"),
        ({"batchId": "a%20b"}, "query batchId: must not contain"),
        ({"appId": None}, "query appId: is required"),
    ],
)
def test_a_query_that_names_no_part_is_refused(replaced: dict[str, object], told: str) -> None:
    content = lines(["a"])

    answer = uploaded(with_batch(), 1, content, path=part_path(1, content, **replaced))

    assert answer.code == "PARAM_ILLEGAL"
    assert answer.json["result"]["resultMessage"].startswith(told)


def test_the_highest_number_of_a_part_is_1000() -> None:
    assert uploaded(with_batch(), 1000, lines(["a"])).code == "SUCCESS"


@pytest.mark.parametrize("more", [0, 1])
def test_a_part_may_be_so_large_and_not_a_byte_more(more: int) -> None:
    content = line("a")
    content += b" " * (MAX_PART_BODY - len(content) + more)

    answer = uploaded(with_batch(), 1, content)

    assert (answer.status, answer.code) == ((413, "PARAM_ILLEGAL") if more else (200, "SUCCESS"))


def test_a_bomb_is_cut_off_before_anything_is_taken() -> None:
    desk = with_batch()
    bomb = gzip.compress(line("a") + b" " * MAX_PART_CONTENT, 1)

    answer = uploaded(desk, 1, bomb, NDJSON, GZIP)

    assert (answer.status, answer.code) == (413, "PARAM_ILLEGAL")
    assert desk.ledger.records == {}


def test_other_media_types_are_refused() -> None:
    assert uploaded(with_batch(), 1, b"{}", ("Content-Type", "application/json")).code == "MEDIA_TYPE_NOT_ACCEPTABLE"


def test_a_batch_that_is_not_there_is_said_so() -> None:
    desk = FrontDesk()

    answers = [
        asked(desk, verb) for verb in ("status", "lint", "run", "pause", "resume", "cancel", "results", "errors")
    ]
    answers.append(uploaded(desk, 1, lines(["a"])).json)

    assert {answer["result"]["resultCode"] for answer in answers} == {ResultCode.BATCH_NOT_EXIST}


def test_only_who_may_send_for_an_app_may_touch_its_batches() -> None:
    desk = FrontDesk(clients={"merchant-1": ["another-app"]})

    answers = [
        asked(desk, verb) for verb in ("create", "status", "lint", "run", "pause", "resume", "results", "errors")
    ]
    answers.append(uploaded(desk, 1, lines(["a"])).json)

    assert {answer["result"]["resultCode"] for answer in answers} == {ResultCode.ACCESS_DENIED}


def test_lint_tells_what_is_wrong_before_the_batch_runs() -> None:
    desk = with_batch()
    uploaded(
        desk, 1, line("a") + line("b", templateCode="NONE") + line("c", actionUrl="/x") + line("d", actionUrl="/y")
    )

    answer = asked(desk, "lint")

    assert (answer["ready"], answer["lacking"], numbers(answer)) == (True, [], (3, 0, 1))
    (part,) = answer["parts"]
    assert part["codes"] == {
        "TEMPLATE_NOT_EXIST": {"rows": 1, "firstRow": 2, "message": "$.templateCode: no template has this code"}
    }
    assert part["remarks"] == {
        "$.actionUrl: is ignored beside redirectUrl; it is no documented field": {
            "rows": 2,
            "firstRow": 3,
            "message": "",
        }
    }


def test_a_batch_without_parts_is_not_run() -> None:
    assert asked(with_batch(), "run")["result"]["resultMessage"] == "$.batchId: the batch has no part; upload one"


@pytest.mark.parametrize(
    ("given", "is_run"), [({"parts": 2}, False), ({"rows": 9}, False), ({"parts": 1, "rows": 10}, True)]
)
def test_a_batch_of_which_something_is_missing_is_not_run_where_the_caller_says_how_much(
    given: dict[str, int],
    is_run: bool,  # noqa: FBT001
) -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))

    answer = asked(desk, "run", **given)

    assert answer["result"]["resultStatus"] == ("S" if is_run else "F")
    assert asked(desk, "status")["state"] == ("RUNNING" if is_run else "HELD")


def test_a_batch_is_paused_in_the_middle_and_goes_on() -> None:
    desk = with_batch()
    names = [f"r{number}" for number in range(1_500)]
    uploaded(desk, 1, lines(names))
    asked(desk, "run")
    first = released(desk)
    settle(desk, DeliveryState.S)

    paused = asked(desk, "pause")
    assert released(desk) == set()
    assert (paused["state"], paused["S"], paused["open"]) == ("PAUSED", len(first), len(names) - len(first))
    assert asked(desk, "run")["result"]["resultMessage"] == "$.batchId: the batch is PAUSED"

    assert asked(desk, "resume")["state"] == "RUNNING"
    seen = first
    while more := released(desk):
        seen |= more
        settle(desk, DeliveryState.S)
    assert seen == set(ids(names))
    assert asked(desk, "status")["S"] == 1_500


def test_status_counts_outcomes_and_tells_rate_and_eta() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))
    asked(desk, "run")
    desk.clock.advance(2_000)
    released(desk)
    assert asked(desk, "status")["rate"] == 0
    settle(desk, DeliveryState.F)
    uploaded(desk, 2, lines(["late"]))

    status = asked(desk, "status")

    assert (status["open"], status["S"], status["U"], status["F"]) == (1, 0, 0, 10)
    assert (status["rate"], status["eta"]) == (5.0, desk.clock.now() + 200)


def with_failed_batch() -> FrontDesk:
    """A desk with a batch of ten that all failed two seconds after it was run."""
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))
    asked(desk, "run")
    desk.clock.advance(2_000)
    released(desk)
    settle(desk, DeliveryState.F)
    return desk


def seen_settled(desk: FrontDesk) -> int:
    """Note that somebody saw nothing open any more; return when."""
    (standing,) = desk.jobs.standings()
    desk.jobs.note(Noted(standing, 100, 1, None))
    return desk.clock.now()


def test_the_rate_is_that_of_the_time_until_all_were_settled() -> None:
    desk = with_failed_batch()
    desk.clock.advance(8_000)
    assert (asked(desk, "status")["settledAt"], asked(desk, "status")["rate"]) == (None, 1.0)
    settled_at = seen_settled(desk)
    desk.clock.advance(3_600_000)

    status = asked(desk, "status")

    assert (status["state"], status["settledAt"], status["rate"], status["eta"]) == ("RUNNING", settled_at, 1.0, None)
    uploaded(desk, 2, lines(["late"]))
    status = asked(desk, "status")
    assert (status["settledAt"], status["rate"]) == (None, 0.0)


def test_what_is_resumed_once_it_was_settled_has_the_rate_of_then() -> None:
    desk = with_failed_batch()
    settled_at = seen_settled(desk)
    asked(desk, "pause")
    asked(desk, "resume")
    desk.clock.advance(1_000)

    status = asked(desk, "status")

    assert (status["settledAt"], status["rate"]) == (settled_at, 0.0)


def test_results_are_had_by_status_page_by_page_in_the_order_of_rows() -> None:
    desk = with_batch()
    uploaded(desk, 2, lines([f"b{number}" for number in range(5)]))
    uploaded(desk, 1, line("x", templateCode="NONE") + lines([f"a{number}" for number in range(4)]))
    asked(desk, "run")
    released(desk)

    pages, after = [], None
    while True:
        page = asked(desk, "results", limit=4, after=after)
        pages.append([(item["part"], item["row"], item["requestId"], item["status"]) for item in page["items"]])
        after = page["next"]
        if after is None:
            break

    assert pages == [
        [(1, 2, "a0", "U"), (1, 3, "a1", "U"), (1, 4, "a2", "U"), (1, 5, "a3", "U")],
        [(2, 1, "b0", "U"), (2, 2, "b1", "U"), (2, 3, "b2", "U"), (2, 4, "b3", "U")],
        [(2, 5, "b4", "U")],
    ]
    settle(desk, DeliveryState.S)
    assert asked(desk, "results", status="U")["items"] == []
    assert len(asked(desk, "results", status="S", limit=1000)["items"]) == 9


@pytest.mark.parametrize(("limit", "told"), [(0, "F"), (1, "S"), (1000, "S"), (1001, "F")])
def test_a_page_has_1_to_1000_results(limit: int, told: str) -> None:
    assert asked(with_batch(), "results", limit=limit)["result"]["resultStatus"] == told


@pytest.mark.parametrize("verb", ["results", "errors"])
def test_a_page_goes_on_only_from_what_a_page_said(verb: str) -> None:
    answer = asked(with_batch(), verb, after="x")

    assert answer["result"]["resultMessage"] == "$.after: must be `next` of the page before"


def test_a_part_that_comes_while_too_many_do_is_unknown() -> None:
    desk = with_batch()
    content = lines(["a"])
    with ExitStack() as stack:
        for _ in range(AT_ONCE_PER_CLIENT):
            assert uploaded(desk, 1, content).code == "SUCCESS"
            stack.enter_context(desk.uploads.places.take(CLIENT))
        answer = uploaded(desk, 1, content)
        assert (answer.code, answer.headers["retry-after"]) == ("UNKNOWN_EXCEPTION", "1")
    assert uploaded(desk, 1, content).code == "SUCCESS"


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("padding", ["x", " "], ids=["in a field", "white space"])
def test_R15_a_line_of_64_kib_is_taken_and_one_byte_more_is_rejected(padding: str, more: int) -> None:
    fields = {"requestId": "a", "accessToken": TOKEN, "appId": APP, "pad": ""}
    room = MAX_BODY + more - len(orjson.dumps(fields))
    whole = orjson.dumps(fields | {"pad": "x" * room})
    # The batch adds nothing to it: it has the one common field itself.
    written = whole if padding == "x" else whole.replace(b"x" * room, b"")[:-1] + b" " * room + b"}"
    desk = FrontDesk()
    assert created(desk, **dict.fromkeys(DEFAULTS))["result"]["resultStatus"] == "S"

    answer = uploaded(desk, 1, written + b"\n").json

    (code,) = answer["codes"]
    too_large = "larger than" in str(answer["codes"])
    assert (len(written), code, too_large) == (MAX_BODY + more, "PARAM_ILLEGAL", more > 0)


@pytest.mark.parametrize("size", [MAX_BODY // 2, 2 * MAX_BODY + 1, 3 * MAX_BODY])
def test_a_csv_row_with_a_cell_of_whatever_size_is_judged_alone(size: int) -> None:
    head = b"requestId,accessToken,extendInfo\n"
    rows = [f"r{number},{TOKEN},{'x' * (size if number == 1 else 1)}\n".encode() for number in range(3)]

    answer = uploaded(with_batch(), 1, head + b"".join(rows), CSV)

    assert (answer.code, numbers(answer.json)) == ("SUCCESS", (2, 0, 1))


def test_rows_of_a_batch_come_under_no_rate_limit() -> None:
    desk = with_batch()
    desk.app_rates[APP] = 1

    assert numbers(uploaded(desk, 1, lines(NAMES)).json) == (10, 0, 0)


def test_a_cancelled_batch_sends_nothing_more() -> None:
    desk = with_batch()
    names = [f"r{number}" for number in range(1_000)]
    uploaded(desk, 1, lines(names))
    asked(desk, "run")
    sent = released(desk)
    settle(desk, DeliveryState.S)

    answer = asked(desk, "cancel")

    assert (answer["state"], answer["S"], answer["F"], answer["open"]) == ("CANCELLED", len(sent), 1_000 - len(sent), 0)
    assert released(desk) == set()
    assert {item["status"] for item in asked(desk, "results", status="F", limit=1000)["items"]} == {"F"}
    assert uploaded(desk, 2, lines(["late"])).code == "BATCH_STATE_ILLEGAL"
    assert [asked(desk, verb)["result"]["resultCode"] for verb in ("run", "pause", "resume")] == [
        "BATCH_STATE_ILLEGAL"
    ] * 3
    assert asked(desk, "cancel") == asked(desk, "status")


def test_what_a_gateway_was_asked_for_goes_on_after_a_cancel() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(["tried", "waits"]))
    asked(desk, "run")
    released(desk)
    (tried,) = ids(["tried"])

    async def try_once() -> None:
        (claim,) = await desk.ledger.claim(shard_of(tried, desk.ledger.shards), [tried], "c1")
        await desk.ledger.settle([Settlement(tried, "c1", claim.attempt, Verdict.RETRY, (), 1, delay=1_000)])

    asyncio.run(try_once())
    answer = asked(desk, "cancel")
    desk.ledger.now += 1_000

    assert (answer["F"], answer["open"]) == (1, 1)
    assert [hint.message_ids for hint in asyncio.run(desk.ledger.sweep())] == [(tried,)]


def test_what_came_too_late_for_a_cancel_is_cancelled_when_somebody_looks() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(["a"]))
    asked(desk, "cancel")
    late = BatchedSend(place_of(2, 1), orjson.loads(line("late")) | DEFAULTS | {"appId": APP})

    asyncio.run(desk.intake.take_rows({"client-id": CLIENT}, BatchPart(BATCH, BatchStart.AT_ONCE), [late]))
    assert released(desk) == set()
    desk.clock.advance(60_000)
    asyncio.run(desk.keeper.look_after())

    assert (asked(desk, "status")["open"], asked(desk, "status")["F"]) == (0, 2)


def test_a_batch_that_was_paused_in_the_ledger_is_not_resumed_by_a_sweeper() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))
    asked(desk, "run")
    asyncio.run(desk.pauses.pause(Origin(APP, BATCH)))
    desk.clock.advance(60_000)

    asyncio.run(desk.keeper.look_after())

    assert released(desk) == set()
    assert asked(desk, "resume")["state"] == "RUNNING"
    assert released(desk) == set(ids(NAMES))


def test_a_pause_that_overtakes_a_resume_stands() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))
    batch = Origin(APP, BATCH)

    class Slow(FakePauses):
        """Tells the ledger of the resume only after the pause that came later was carried out."""

        @override
        async def resume(self, origin: Origin) -> bool:
            await desk.jobs.move(batch, PAUSE, 0, 0)
            paused = await desk.jobs.find(batch)
            assert paused is not None
            await desk.keeper.carry_out(paused)
            return await super().resume(origin)

    slow = BatchKeeper(
        jobs=desk.jobs,
        batches=FakeBatches(desk.ledger),
        pauses=Slow(desk.ledger),
        cancellations=FakeCancellations(desk.ledger),
        clock=desk.clock,
        retention=desk.ledger.limits.retention,
    )

    async def run() -> None:
        await desk.jobs.move(batch, RUN, 0, 0)
        running = await desk.jobs.find(batch)
        assert running is not None
        await slow.carry_out(running)

    asyncio.run(run())

    assert asked(desk, "status")["state"] == "PAUSED"
    assert released(desk) == set()


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_batch_that_is_paused_or_cancelled_while_its_own_pause_ends_stays_so(verb: str) -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))
    asked(desk, "run")
    batch = Origin(APP, BATCH)
    asyncio.run(desk.pauses.pause(batch))

    class Slow(FakePauses):
        """Ends the pause only after the batch's state was changed, and that was carried out."""

        @override
        async def resume(self, origin: Origin) -> bool:
            await (desk.batches.pause if verb == "pause" else desk.batches.cancel)(BatchName(appId=APP, batchId=BATCH))
            return await super().resume(origin)

    desk.origins = replace(desk.origins, pauses=replace(desk.origins.pauses, pauses=Slow(desk.ledger)))

    answer = ended(desk)

    assert answer["result"]["resultCode"] == "BATCH_STATE_ILLEGAL"
    assert asked(desk, "status")["state"] in {"PAUSED", "CANCELLED"}
    assert all(desk.ledger.is_paused(shard, batch) for shard in range(desk.ledger.shards))
    assert released(desk) == set()


def test_a_batch_that_is_defined_while_a_pause_of_its_name_ends_is_held() -> None:
    desk = FrontDesk()

    class Slow(FakePauses):
        """Ends the pause only after the batch was defined, and has rows."""

        @override
        async def resume(self, origin: Origin) -> bool:
            common = BatchCreation.model_validate({"appId": APP, "batchId": BATCH, **DEFAULTS})
            await desk.batches.create(common)
            rows = [BatchedSend(place_of(1, 1), orjson.loads(line("a")) | DEFAULTS | {"appId": APP})]
            await desk.intake.take_rows({"client-id": CLIENT}, BatchPart(BATCH, BatchStart.PAUSED), rows)
            return await super().resume(origin)

    desk.origins = replace(desk.origins, pauses=replace(desk.origins.pauses, pauses=Slow(desk.ledger)))

    assert ended(desk)["result"]["resultCode"] == "BATCH_STATE_ILLEGAL"
    assert released(desk) == set()


def test_a_batch_whose_name_was_resumed_before_it_was_defined_is_held() -> None:
    desk = FrontDesk()
    assert ended(desk)["result"]["resultCode"] == "SUCCESS"
    created(desk)

    uploaded(desk, 1, lines(NAMES))

    assert (released(desk), desk.hints.published) == (set(), [])
    asked(desk, "run")
    assert released(desk) == set(ids(NAMES))


def test_whoever_died_over_a_definition_is_followed_by_a_sweeper() -> None:
    desk = FrontDesk()
    ended(desk)
    asyncio.run(desk.jobs.create(Origin(APP, BATCH), b"{}", CARRIED_OUT_BY))
    desk.clock.advance(CARRIED_OUT_BY)

    asyncio.run(desk.keeper.look_after())

    assert all(desk.ledger.is_paused(shard, Origin(APP, BATCH)) for shard in range(desk.ledger.shards))


@pytest.mark.parametrize(
    ("verbs", "said"),
    [
        ([], "$.batchId: the batch is HELD; run it as a batch job"),
        (["run", "pause"], "$.batchId: the batch is PAUSED; resume it as a batch job"),
        (["cancel"], "$.batchId: the batch is CANCELLED; use a new batchId"),
    ],
)
def test_no_end_of_a_pause_undoes_the_state_of_a_batch(verbs: list[str], said: str) -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(["a"]))
    for verb in verbs:
        asked(desk, verb)

    answer = ended(desk)

    assert answer["result"] == {"resultCode": "BATCH_STATE_ILLEGAL", "resultStatus": "F", "resultMessage": said}
    assert released(desk) == set()


@pytest.mark.parametrize("names", [[], ["a"], NAMES])
def test_a_batch_that_is_held_is_paused_by_nobody_else(names: list[str]) -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(names))

    assert paused(desk)["result"] == {
        "resultCode": "BATCH_STATE_ILLEGAL",
        "resultStatus": "F",
        "resultMessage": "$.batchId: the batch is HELD; it is held already: nothing of it is sent before it is run",
    }
    assert released(desk) == set()


def test_a_resume_of_a_batch_job_ends_any_pause_of_the_batch() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(NAMES))
    for verb in ("run", "pause"):
        asked(desk, verb)
    assert (paused(desk)["paused"], released(desk)) == (True, set())

    asked(desk, "resume")

    assert released(desk) == set(ids(NAMES))


def test_a_batch_that_runs_goes_on_after_a_pause_of_its_merchants() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(["a"]))
    asked(desk, "run")

    told = [paused(desk), ended(desk)]

    assert [(one["wasPaused"], one["paused"]) for one in told] == [(False, True), (True, False)]


def test_a_batch_id_that_is_used_again_is_held_until_it_is_run_anew() -> None:
    desk = with_batch()
    uploaded(desk, 1, lines(["a"]))
    asked(desk, "run")
    released(desk)
    settle(desk, DeliveryState.S)
    later = desk.ledger.limits.retention + 60_000
    desk.ledger.now += later
    desk.clock.advance(later)
    asyncio.run(desk.ledger.forget())
    asyncio.run(desk.keeper.look_after())
    assert asked(desk, "status")["result"]["resultCode"] == "BATCH_NOT_EXIST"

    created(desk)
    uploaded(desk, 1, lines(NAMES))

    assert (released(desk), desk.hints.published) == (set(), [])


def test_R23_a_part_is_signed_with_its_query_and_as_it_was_sent_and_refused_before_a_row_is_read() -> None:
    desk, calls = with_batch(), list[SignedCall]()
    refusal = Result.refused(ResultCode.INVALID_SIGNATURE, "header Signature: is not valid")
    desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP}), ())

    class Refusal:
        async def refusal(self, _caller: Caller, call: SignedCall, /) -> Result:
            calls.append(call)
            return refusal

        def before_body(self, _caller: Caller, call: SignedCall, /) -> None:
            assert call.body == b""

    desk.require(Refusal())
    content = gzip.compress(lines(NAMES))

    answer = uploaded(desk, 1, content, NDJSON, GZIP)

    assert answer.code == "INVALID_SIGNATURE"
    assert [(call.path, call.body) for call in calls] == [(part_path(1, content), content)]
    assert desk.ledger.records == {}


def test_a_page_of_results_costs_a_bounded_number_of_looks_however_few_rows_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = with_batch()
    for part in (1, 2):
        assert numbers(uploaded(desk, part, b"\n" * 99_999 + line(f"r{part}")).json) == (1, 0, 0)
    looks: list[int] = []
    rows = FakeBatches.rows

    async def watched(batches: FakeBatches, batch: Origin, first: int, number: int) -> list[BatchRow]:
        looks.append(first)
        return await rows(batches, batch, first, number)

    monkeypatch.setattr(FakeBatches, "rows", watched)
    page = asked(desk, "results")
    looks_of_a_page = len(looks)
    found = list(page["items"])
    while page["next"] is not None:
        page = asked(desk, "results", after=page["next"])
        found += page["items"]

    assert looks_of_a_page <= 50
    assert len(looks) == len(set(looks))
    assert [(item["part"], item["row"]) for item in found] == [(1, 100_000), (2, 100_000)]


LARGE = {"templates": [{"templateParameters": {"who": "x" * 50_000}}]}


@pytest.mark.parametrize(("common", "own"), [({}, LARGE), (LARGE, {})])
def test_large_rows_are_taken_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, common: dict[str, object], own: dict[str, object]
) -> None:
    desk = with_batch(**common)
    sizes: list[int] = []

    accept = desk.ledger.accept

    async def watched(
        app_id: str, lane: Lane, messages: Sequence[NewMessage], told: Outcomes, part: BatchPart
    ) -> list[Acceptance]:
        sizes.append(len(messages))
        return await accept(app_id, lane, messages, told, part)

    monkeypatch.setattr(desk.ledger, "accept", watched)
    content = b"".join(line(f"r{number}", **own) for number in range(300))

    answer = uploaded(desk, 1, gzip.compress(content, 1), NDJSON, GZIP)

    assert numbers(answer.json) == (300, 0, 0)
    assert sum(sizes) == 300
    assert max(sizes) * 50_000 < 5 * 1024 * 1024


def test_the_rows_of_a_large_part_are_never_all_in_memory() -> None:
    row = line("r", templates=[{"templateParameters": {"who": "x" * 4_000}}])
    body = gzip.compress(row * 10_000, 1)
    part = PartBody(RowFormat.JSONL, Encoding.GZIP, body)

    tracemalloc.start()
    extent, _ = part.survey()
    found = sum(len(one.send) for one in read_rows(part.rows, part.pieces()) if isinstance(one.send, bytes))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (extent.rows, found) == (10_000, (len(row) - 1) * 10_000)
    assert found > 40_000_000
    assert peak < 2_000_000
