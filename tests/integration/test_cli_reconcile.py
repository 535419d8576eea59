"""`tidings reconcile`."""

import asyncio
import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.cli.settlement_file import read_day, settle
from tests.command_line import APP, CommandLine, write_sends
from tests.front_desk import CLIENT, FrontDesk
from tests.harmed_api import Harm, HarmedApi, harmed_api
from tests.keys import private_pem, public_pem
from tests.samples import INBOX, PUSH, send_body
from worker.adapters.redis.keys import Keys
from worker.bootstrap import Services
from worker.contract.identity import message_id
from worker.contract.messages import DeliveryState, DeliveryUpdate, Settlement, Verdict

KEYS = Keys(16)
DAY = datetime(2031, 5, 1, tzinfo=UTC)


@pytest.fixture
def tidings(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    command = CommandLine(redis_url)
    command.open_shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    return command


def send(tidings: CommandLine, *request_ids: str) -> None:
    file = write_sends(Path("notices.jsonl"), *({"requestId": request_id} for request_id in request_ids))
    tidings.lines("send", file)


def deliver(tidings: CommandLine, request_id: str, state: DeliveryState, code: str = "") -> None:
    id_ = message_id(APP, request_id)

    async def work(found: Services) -> None:
        (claim,) = await found.ledger.claim(KEYS.shard(id_), [id_], request_id)
        updates = (DeliveryUpdate(PUSH, state, code, "no such user"), DeliveryUpdate(INBOX, DeliveryState.S))
        await found.ledger.settle([Settlement(id_, request_id, claim.attempt, Verdict.FINAL, updates, tries=1)])

    tidings.on_services(work)


def taken_at(redis_url: str, request_id: str, at: datetime) -> None:
    """Let a message have been taken at another time."""
    id_ = message_id(APP, request_id)
    with redis.Redis.from_url(redis_url) as server:
        server.hset(KEYS.message(KEYS.shard(id_), id_), "taken", int(at.timestamp() * 1000))


def settled(file: str) -> list[tuple[str, str]]:
    with Path(file).open(encoding="utf-8", newline="") as rows:
        return [(row["requestId"], row["status"]) for row in csv.DictReader(rows)]


def test_a_day_has_a_row_for_each_message_that_was_taken_on_it(tidings: CommandLine, redis_url: str) -> None:
    times = {
        "eve": DAY - timedelta(milliseconds=1),
        "late": DAY + timedelta(days=1) - timedelta(milliseconds=1),
        "first": DAY,
        "failed": DAY + timedelta(hours=2),
        "next": DAY + timedelta(days=1),
    }
    send(tidings, *times)
    deliver(tidings, "first", DeliveryState.S)
    deliver(tidings, "failed", DeliveryState.F, "USER_NOT_EXIST")
    for request_id, at in times.items():
        taken_at(redis_url, request_id, at)

    result = tidings("reconcile", "--date", "2031-05-01")

    assert result.exit_code == 0, result.output
    assert settled("settlement-2031-05-01.csv") == [("first", "S"), ("failed", "F"), ("late", "U")]
    digest = hashlib.sha256(Path("settlement-2031-05-01.csv").read_bytes()).hexdigest()
    assert result.stdout.splitlines() == [
        "3 messages of 2031-05-01 (UTC): S 1, U 1, F 1",
        f"{digest}  settlement-2031-05-01.csv",
    ]
    assert sorted(path.name for path in Path().iterdir() if "settlement" in path.name) == ["settlement-2031-05-01.csv"]


def test_a_day_begins_and_ends_by_its_time_zone(tidings: CommandLine, redis_url: str) -> None:
    send(tidings, "a", "b")
    taken_at(redis_url, "a", datetime(2031, 4, 30, 16, tzinfo=UTC))
    taken_at(redis_url, "b", datetime(2031, 5, 1, 16, tzinfo=UTC))

    told = tidings("reconcile", "--date", "2031-05-01", "--time-zone", "Asia/Manila", "--json", "--out", "day.csv")

    assert json.loads(told.stdout) == {
        "date": "2031-05-01",
        "timeZone": "Asia/Manila",
        "appId": None,
        "from": "2031-04-30T16:00:00.000Z",
        "to": "2031-05-01T16:00:00.000Z",
        "messages": 1,
        "S": 0,
        "U": 1,
        "F": 0,
        "file": "day.csv",
        "sha256": hashlib.sha256(Path("day.csv").read_bytes()).hexdigest(),
    }
    assert settled("day.csv") == [("a", "U")]


def test_a_day_may_be_that_of_one_merchant(tidings: CommandLine, redis_url: str) -> None:
    send(tidings, "a")
    taken_at(redis_url, "a", DAY)

    assert tidings.lines("reconcile", "--date", "2031-05-01", "--app-id", "other")[0].startswith("0 messages")
    assert tidings.lines("reconcile", "--date", "2031-05-01", "--app-id", APP)[0].startswith("1 message ")
    assert settled(f"settlement-{APP}-2031-05-01.csv") == [("a", "U")]


def test_a_day_of_more_messages_than_a_round_trip_reads_is_whole(tidings: CommandLine) -> None:
    send(tidings, *(f"r{number:05}" for number in range(6_000)))
    today = f"{datetime.now(UTC):%Y-%m-%d}"

    result = tidings("reconcile", "--date", today, "--out", "day.csv")

    assert len(settled("day.csv")) == 6_000
    assert "the day is not over before" in result.stderr


def test_who_stops_leaves_neither_a_half_file_nor_what_it_is_made_of(tidings: CommandLine) -> None:
    send(tidings, *(f"r{number}" for number in range(10)))
    day = read_day(f"{datetime.now(UTC):%Y-%m-%d}", "UTC", None)
    Path("out").mkdir()

    async def stop(found: Services) -> None:
        settling = asyncio.create_task(settle(found, day, Path("out/day.csv")))
        await asyncio.sleep(0)
        assert len(entries("out")) == 1
        settling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await settling

    tidings.on_services(stop)

    assert entries("out") == []


def entries(directory: str) -> list[Path]:
    return list(Path(directory).iterdir())


def test_a_day_long_ago_says_that_some_may_be_forgotten(tidings: CommandLine) -> None:
    result = tidings("reconcile", "--date", "2001-05-01")

    assert "of a day so long ago some messages may be forgotten already (TIDINGS_RETENTION)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "FILE, --date: give one of them: books to compare, or a day"),
        (["books", "--date", "2031-05-01"], "FILE, --date: give one of them: books to compare, or a day"),
        (["--date", "hush"], "--date: must be a day such as 2031-05-01"),
        (["--date", "9999-12-31"], "--date: must be a day such as 2031-05-01"),
        (["--date", "2031-05-01", "--time-zone", "hush"], "--time-zone: must be a time zone such as Asia/Manila"),
        (["--date", "2031-05-01", "--out", "no/such/place.csv"], "--out: no/such/place.csv can't be written (No such"),
        (["--date", "2031-05-01", "--url", "http://x"], "--url: has no settlement files"),
        (["books", "--out", "x.csv"], "--out: is for --date; differences are printed"),
        (["books", "--key", "x.pem"], "--key, --server-key: need --url"),
        (["none"], "FILE: can't be read (No such file or directory)"),
        (["books"], "line 1: has no appId; name it with --app-id"),
        (["books", "--app-id", APP], "line 2: $.status: must be 'S', 'U', 'F' or 'NEVER_SEEN'"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_code_2(tidings: CommandLine, arguments: list[str], reason: str) -> None:
    Path("books").write_text("r1\nr2,hush\n")

    assert tidings.refused("reconcile", *arguments).startswith(reason)


def test_books_that_agree_are_code_0(tidings: CommandLine) -> None:
    send(tidings, "a", "b")
    deliver(tidings, "a", DeliveryState.S)
    Path("books").write_text("requestId,status\na,S\nb\nnever,NEVER_SEEN\n")

    assert tidings.lines("reconcile", "books", "--app-id", APP) == [
        "3 messages: 3 as the ledger has it, 0 never taken or forgotten, 0 with another status"
    ]


def test_what_differs_is_named_with_its_line_and_code_1(tidings: CommandLine) -> None:
    send(tidings, "a", "b")
    deliver(tidings, "a", DeliveryState.F, "X")

    result = tidings("reconcile", "-", "--app-id", APP, stdin="a,S\nlost\nb,U\n")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "line 1: a: S by the books, now F",
        "line 2: lost: taken by the books, now NEVER_SEEN",
        "3 messages: 1 as the ledger has it, 1 never taken or forgotten, 1 with another status",
    ]


def test_results_and_sends_of_several_apps_are_books_too(tidings: CommandLine) -> None:
    other = {"requestId": "c", "appId": "other"}
    write_sends(Path("notices.jsonl"), {"requestId": "a"}, other, {"requestId": "b"}, "", other)
    tidings("send", "notices.jsonl")

    agree = tidings("reconcile", "notices.results.jsonl", "--app-id", APP)
    differ = tidings("reconcile", "notices.jsonl", "--json")

    assert agree.exit_code == 0, agree.output
    assert [json.loads(line) for line in differ.stdout.splitlines()] == [
        {"line": 2, "appId": "other", "requestId": "c", "status": None, "ledger": "NEVER_SEEN"},
        {"line": 5, "appId": "other", "requestId": "c", "status": None, "ledger": "NEVER_SEEN"},
        {"messages": 4, "neverSeen": 2, "otherwise": 0},
    ]


def test_a_merchant_compares_its_books_over_the_api(tmp_path: Path) -> None:
    (tmp_path / "m.pem").write_bytes(private_pem("merchant"))
    (tmp_path / "s.pem").write_text(public_pem("server"))
    books = tmp_path / "books"
    books.write_text("\n".join(f"r{number},NEVER_SEEN" for number in range(10_001)) + "\nr1\n")
    merchant = CommandLine("redis://127.0.0.1:1")  # it has no ledger

    def compared(api: HarmedApi) -> list[str]:
        access = ("--url", api.url, "--client-id", CLIENT, "--key", tmp_path / "m.pem")
        keys = ("--server-key", tmp_path / "s.pem", "--server-key-version", "7")
        result = merchant("reconcile", books, "--app-id", APP, *access, *keys)
        assert result.exit_code == 1, result.output
        return result.stdout.splitlines()

    with harmed_api(FrontDesk()) as api:
        api.desk.take([send_body(requestId="r1"), send_body(requestId="r10000")])
        api.harms.append(Harm.ANSWER_LOST)
        told = compared(api)

    assert told == [
        "line 2: r1: NEVER_SEEN by the books, now U",
        "line 10001: r10000: NEVER_SEEN by the books, now U",
        "10,002 messages: 10,000 as the ledger has it, 0 never taken or forgotten, 2 with another status",
    ]


@given(st.dates(max_value=datetime(9999, 12, 30, tzinfo=UTC).date()), st.sampled_from(["UTC", "Asia/Manila"]))
def test_each_day_begins_when_the_one_before_ends(day: object, zone: str) -> None:
    span = read_day(str(day), zone, None).span

    assert span.end - span.start == 86_400_000


def test_a_day_on_which_clocks_are_changed_has_23_or_25_hours() -> None:
    spans = [read_day(day, "Europe/Berlin", None).span for day in ("2031-03-30", "2031-10-26")]

    assert [(span.end - span.start) // 3_600_000 for span in spans] == [23, 25]
