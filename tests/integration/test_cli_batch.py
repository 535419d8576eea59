"""`tidings batch`, from a file to its outcomes."""

import gzip
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import Result

from api_adapter import batch_files
from api_adapter.cli import batch_waiting
from api_adapter.cli.batch_directly import Directly
from api_adapter.cli.batch_waiting import until_settled
from api_adapter.client import AsyncBatch
from api_adapter.client.batch_jobs import BatchStatus
from tests.command_line import APP, TOKEN, CommandLine
from tests.front_desk import CLIENT, FrontDesk
from tests.harmed_api import Harm, HarmedApi, harmed_api
from tests.keys import private_pem

COMMON = {
    "templateCode": "PAYMENT_NOTICE",
    "redirectUrl": "/pages/1",
    "templates": [{"language": "en-US", "templateParameters": {"who": "XiaoMing"}}],
}


@pytest.fixture
def tidings(redis_url: str, tmp_path: Path) -> CommandLine:
    command = CommandLine(redis_url)
    command.open_shop(tmp_path)
    common = tmp_path / "common.json"
    common.write_bytes(orjson.dumps(COMMON))
    command.lines("batch", "create", APP, "june", "--common", common)
    return command


def row(request_id: str, **fields: object) -> bytes:
    return orjson.dumps({"requestId": request_id, "accessToken": TOKEN, **fields}) + b"\n"


def test_a_file_is_uploaded_run_paused_and_told_of(tidings: CommandLine, tmp_path: Path) -> None:
    notices = tmp_path / "notices.jsonl.gz"
    notices.write_bytes(gzip.compress(row("a") + row("b", templateCode="NONE") + row("c")))

    first, second = (tidings("batch", "upload", APP, "june", notices) for _ in range(2))

    assert (first.exit_code, first.stdout) == (2, "part 1: 2 accepted, 0 duplicate, 1 rejected\n")
    assert second.stdout == first.stdout
    lint = tidings("batch", "lint", APP, "june")
    assert lint.exit_code == 2
    assert lint.stdout.splitlines() == [
        "ready: 2 accepted, 0 duplicate, 1 rejected",
        "part 1: 1 TEMPLATE_NOT_EXIST, first in row 2: $.templateCode: no template has this code",
    ]
    assert tidings.lines("batch", "errors", APP, "june") == [
        "part,row,requestId,resultCode,resultMessage",
        "1,2,b,TEMPLATE_NOT_EXIST,$.templateCode: no template has this code",
    ]
    assert tidings.lines("batch", "run", APP, "june", "--rows", "3")[0] == (
        "june is RUNNING: 1 part, 2 accepted, 0 duplicate, 1 rejected"
    )
    assert tidings.lines("batch", "pause", APP, "june")[0].startswith("june is PAUSED: ")
    assert tidings.lines("batch", "resume", APP, "june")[0].startswith("june is RUNNING: ")
    assert [json.loads(line)["requestId"] for line in tidings.lines("batch", "results", APP, "june")] == ["a", "c"]
    assert tidings.lines("batch", "cancel", APP, "june")[1] == "0 open, 0 S, 0 U, 2 F"
    assert json.loads(tidings("batch", "status", APP, "june", "--json").stdout)["state"] == "CANCELLED"
    assert tidings.lines("batch", "list")[1].split() == [APP, "june"]


def uploaded(tidings: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notices.jsonl").write_bytes(row("a") + row("b") + row("c"))
    tidings.lines("batch", "upload", APP, "june", tmp_path / "notices.jsonl")


def said_of_results(tidings: CommandLine, *options: str) -> tuple[int, str]:
    """Return how many results are printed, and what is said beside them."""
    result = tidings("batch", "results", APP, "june", *options)
    assert result.exit_code == 0
    return len(result.stdout.splitlines()), result.stderr


def test_results_say_what_is_open_and_how_to_wait(tidings: CommandLine, tmp_path: Path) -> None:
    assert said_of_results(tidings) == (0, f"the batch is HELD: nothing is sent before tidings batch run {APP} june\n")
    uploaded(tidings, tmp_path)
    tidings.lines("batch", "run", APP, "june")
    hint = f"3 of 3 messages open. To wait for it: tidings batch status {APP} june --wait\n"

    assert said_of_results(tidings) == (3, hint)
    assert said_of_results(tidings, "--status", "S") == (0, hint)
    tidings.lines("batch", "cancel", APP, "june")
    assert said_of_results(tidings) == (3, "")
    assert said_of_results(tidings, "--status", "S") == (0, "none of 3 messages is S\n")


def test_waiting_ends_when_nothing_is_open(
    tidings: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = ("batch", "status", APP, "june", "--wait")
    assert tidings.refused(*wait) == f"--wait: the batch is HELD; run it: tidings batch run {APP} june --wait"
    uploaded(tidings, tmp_path)

    async def somebody_cancels_meanwhile(batch: Directly, status: BatchStatus) -> BatchStatus:
        assert status.open == 3
        await batch.cancel()
        return await until_settled(batch, status)

    monkeypatch.setattr(batch_waiting, "until_settled", somebody_cancels_meanwhile)

    result = tidings("batch", "run", APP, "june", "--wait")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "june is CANCELLED: 1 part, 3 accepted, 0 duplicate, 0 rejected",
        "0 open, 0 S, 0 U, 3 F",
    ]
    monkeypatch.undo()
    assert tidings.lines(*wait) == result.stdout.splitlines()


def test_a_batch_that_runs_is_done_once_nothing_of_it_is_open(tidings: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notices.jsonl").write_bytes(row("a", templateCode="NONE"))
    tidings("batch", "upload", APP, "june", tmp_path / "notices.jsonl")

    done = "june is done: 1 part, 0 accepted, 0 duplicate, 1 rejected"
    assert tidings.lines("batch", "run", APP, "june")[0] == done
    assert json.loads(tidings("batch", "status", APP, "june", "--json").stdout)["state"] == "RUNNING"
    tidings.lines("batch", "pause", APP, "june")
    assert tidings.lines("batch", "status", APP, "june")[0] == done.replace("done", "PAUSED")


def test_what_is_held_is_run_by_no_end_of_a_pause(tidings: CommandLine, tmp_path: Path) -> None:
    uploaded(tidings, tmp_path)

    refused = tidings.refused("merchant", "resume", APP, "--batch", "june")

    assert refused == f"--batch: the batch is HELD; run it as a batch job: tidings batch run {APP} june"
    assert tidings.lines("merchant", "show")[1].split()[:3] == [APP, "june", "HELD"]


def test_what_is_held_is_not_paused_besides(tidings: CommandLine, tmp_path: Path) -> None:
    uploaded(tidings, tmp_path)

    refused = tidings.refused("merchant", "pause", APP, "--batch", "june")

    assert refused == "--batch: the batch is HELD; it is held already: nothing of it is sent before it is run"
    tidings.lines("batch", "run", APP, "june")
    assert tidings.lines("merchant", "pause", APP, "--batch", "june")[0].startswith(f"batch june of {APP} is paused: ")


def test_what_was_resumed_before_it_was_defined_is_held_all_the_same(tidings: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notices.jsonl").write_bytes(row("a") + row("b") + row("c"))
    tidings.lines("merchant", "resume", APP, "--batch", "july")
    tidings.lines("batch", "create", APP, "july", "--common", tmp_path / "common.json")

    tidings.lines("batch", "upload", APP, "july", tmp_path / "notices.jsonl")

    assert tidings.lines("merchant", "show", APP)[-1] == (
        f"{APP}: 3 messages waiting, 0 with workers or to be tried again"
    )


def test_an_interrupt_ends_the_waiting_and_not_the_batch(
    tidings: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(tidings, tmp_path)

    async def interrupted(batch: Directly, status: BatchStatus) -> BatchStatus:
        signal.raise_signal(signal.SIGINT)
        return await until_settled(batch, status)

    monkeypatch.setattr(batch_waiting, "until_settled", interrupted)

    result = tidings("batch", "run", APP, "june", "--wait")

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == (
        f"stopped waiting; the batch goes on. To wait for it: tidings batch status {APP} june --wait\n"
    )
    assert "june is RUNNING" in tidings.lines("batch", "status", APP, "june")[0]


def test_csv_is_uploaded_and_every_part_has_the_head(tidings: CommandLine, tmp_path: Path) -> None:
    notices = tmp_path / "notices.csv"
    rows = "".join(f'r{number},{TOKEN},"A ""B""\nC"\n' for number in range(30))
    notices.write_text(f"requestId,accessToken,p.who\n{rows}", encoding="utf-8")

    assert tidings.lines("batch", "upload", APP, "june", notices, "--first-part", "7") == [
        "part 7: 30 accepted, 0 duplicate, 0 rejected"
    ]


@pytest.mark.parametrize("name", ["big.csv", "big.jsonl.gz"])
def test_rejected_rows_are_joined_corrected_and_uploaded_until_all_are_held(
    tidings: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(batch_files, "_ROWS", 10)
    bad = {7: "NONE", 24: "NONE"}
    if name == "big.csv":
        rows = [f"r{number},{TOKEN},{bad.get(number, '')}\n" for number in range(25)]
        content = ("requestId,accessToken,templateCode\n" + "".join(rows)).encode()
    else:
        fields = [{"templateCode": bad[number]} if number in bad else {} for number in range(25)]
        content = b"".join(row(f"r{number}", **more) for number, more in enumerate(fields))
    big = tmp_path / name
    big.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    corrected = tmp_path / name.removesuffix(".gz").replace("big", "big.failed")
    upload = ("batch", "upload", APP, "june")

    refused = tidings(*upload, big)
    joined = tidings.lines("batch", "errors", APP, "june", big)

    assert refused.exit_code == 2
    assert refused.stderr == f"to get the rejected rows back: tidings batch errors {APP} june {big}\n"
    assert joined == [
        f"2 rows of {big} rejected",
        f"{tmp_path / 'big.errors.csv'}: the line of each, and why",
        f"{corrected}: the rows as you wrote them, in the same order; correct them there, then:",
        f"tidings batch upload {APP} june {corrected} --first-part 4",
    ]
    errors = (tmp_path / "big.errors.csv").read_text().splitlines()
    first, last = (9, 26) if name == "big.csv" else (8, 25)
    assert [line.split(",")[0] for line in errors] == ["line", str(first), str(last)]
    corrected.write_bytes(corrected.read_bytes().replace(b"NONE", b"PAYMENT_NOTICE"))
    assert tidings.lines(*upload, corrected, "--first-part", "4") == ["part 4: 2 accepted, 0 duplicate, 0 rejected"]
    assert "RUNNING: 4 parts, 25 accepted, " in tidings.lines("batch", "run", APP, "june", "--rows", "27")[0]
    assert tidings.lines("batch", "errors", APP, "june", corrected, "--first-part", "4") == [
        f"0 rows of {corrected} rejected",
        "not in this file: 2 rejected rows of other parts",
    ]


@pytest.fixture
def api() -> Iterator[HarmedApi]:
    with harmed_api(FrontDesk()) as found:
        yield found


@pytest.fixture
def merchant(api: HarmedApi, tmp_path: Path) -> Callable[..., Result]:
    """Give `tidings batch` of a merchant, who has the address of an API and a key, and no ledger."""
    (tmp_path / "m.pem").write_bytes(private_pem("merchant"))
    (tmp_path / "common.json").write_bytes(orjson.dumps(COMMON))
    command = CommandLine("redis://127.0.0.1:1")
    access = ("--url", api.url, "--client-id", CLIENT, "--key", tmp_path / "m.pem")

    def batch(verb: str, *arguments: str | Path, name: str = "june") -> Result:
        return command("batch", verb, APP, name, *arguments, *access)

    assert batch("create", "--common", tmp_path / "common.json").exit_code == 0
    return batch


def test_a_merchant_gets_its_rejected_rows_back_over_the_api(merchant: Callable[..., Result], tmp_path: Path) -> None:
    big, failed = tmp_path / "big.jsonl", tmp_path / "big.failed.jsonl"
    big.write_bytes(row("a") + row("b", templateCode="NONE"))

    refused = merchant("upload", big)
    printed, joined = merchant("errors"), merchant("errors", big)
    failed.write_bytes(failed.read_bytes().replace(b"NONE", b"PAYMENT_NOTICE"))
    corrected = merchant("upload", failed, "--first-part", "2")

    as_here = " (with --url, --client-id and --key as here)"
    assert (refused.exit_code, refused.stdout) == (2, "part 1: 1 accepted, 0 duplicate, 1 rejected\n")
    assert refused.stderr == f"to get the rejected rows back: tidings batch errors {APP} june {big}{as_here}\n"
    assert printed.stdout.splitlines()[1:] == ["1,2,b,TEMPLATE_NOT_EXIST,$.templateCode: no template has this code"]
    assert joined.stdout.splitlines()[-1] == f"tidings batch upload {APP} june {failed} --first-part 2{as_here}"
    assert (corrected.exit_code, corrected.stdout) == (0, "part 2: 1 accepted, 0 duplicate, 0 rejected\n")
    assert merchant("errors", big, name="july").stderr.startswith("tidings: BATCH_NOT_EXIST: ")


def test_a_merchant_runs_and_follows_its_batch_over_the_api(merchant: Callable[..., Result], tmp_path: Path) -> None:
    notices = tmp_path / "notices.jsonl"
    notices.write_bytes(row("a") + row("b", templateCode="NONE"))
    merchant("upload", notices)

    lint = merchant("lint")
    states = [merchant(*verb).stdout.split()[2] for verb in (("run", "--rows", "2"), ("pause",), ("resume",))]
    results = [json.loads(line) for line in merchant("results", "--status", "U").stdout.splitlines()]
    status = json.loads(merchant("status", "--json").stdout)

    assert lint.exit_code == 2
    assert lint.stdout.splitlines()[1].startswith("part 1: 1 TEMPLATE_NOT_EXIST, first in row 2")
    assert states == ["RUNNING:", "PAUSED:", "RUNNING:"]
    assert [(one["part"], one["row"], one["requestId"], one["reason"]) for one in results] == [(1, 1, "a", "OPEN")]
    assert (status["state"], status["open"], status["U"], status["S"]) == ("RUNNING", 1, 0, 0)
    assert merchant("cancel").stdout.startswith("june is CANCELLED: ")


def test_who_waits_for_the_api_is_told_at_once_and_for_how_long(
    api: HarmedApi, merchant: Callable[..., Result]
) -> None:
    api.harms.extend([Harm.CALL_LOST, Harm.BUSY])

    result = merchant("status")

    assert (result.exit_code, result.stdout.split()[:3]) == (0, ["june", "is", "HELD:"])
    waits = result.stderr.splitlines()
    assert [line.partition(" (")[0] for line in waits] == [
        f"{api.url}: The API did not answer",
        f"{api.url}: The API was not reached",
    ]
    assert all(line.endswith(" s at most; Ctrl-C is safe.") for line in waits)


def test_a_command_that_got_no_answer_is_to_be_run_again(
    api: HarmedApi, merchant: Callable[..., Result], tmp_path: Path
) -> None:
    notices = tmp_path / "notices.jsonl"
    notices.write_bytes(row("a"))
    again = "The API was not reached (HTTP 503). To go on run the same command again: what was done is not done twice."
    api.harms.extend([Harm.BUSY_FOR_LONG] * 2)

    pause, upload = merchant("pause"), merchant("upload", notices)

    assert (pause.exit_code, pause.stderr) == (2, f"tidings: {again}\n")
    assert (upload.exit_code, upload.stderr) == (2, f"tidings: part 1: {again}\n")
    assert merchant("upload", notices).stdout == "part 1: 1 accepted, 0 duplicate, 0 rejected\n"


def test_an_interrupt_says_how_to_go_on(merchant: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsyncBatch, "pause", lambda _: signal.raise_signal(signal.SIGINT))

    result = merchant("pause")

    assert result.exit_code == 130
    assert result.stderr.splitlines() == [
        "stopped; to go on run the same command again: what was done is not done twice",
        "tidings: interrupted",
    ]


def test_keys_without_an_api_are_refused(tidings: CommandLine, tmp_path: Path) -> None:
    refused = tidings.refused("batch", "status", APP, "june", "--key", tmp_path / "m.pem")

    assert refused.startswith("--key, --server-key: need --url")


def test_a_batch_that_takes_no_more_rows_is_told_of_with_its_errors(tidings: CommandLine, tmp_path: Path) -> None:
    notices = tmp_path / "my notices.jsonl"
    notices.write_bytes(row("a", templateCode="NONE"))
    tidings("batch", "upload", APP, "june", notices, "--first-part", "1000")

    full = json.loads(tidings("batch", "errors", APP, "june", notices, "--part", "1000", "--json").stdout)
    tidings.lines("batch", "cancel", APP, "june")
    cancelled = tidings.lines("batch", "errors", APP, "june", notices, "--first-part", "1000")

    failed = tmp_path / "my notices.failed.jsonl"
    assert full == {
        "file": str(notices),
        "rejected": 1,
        "failed": str(failed),
        "errors": str(tmp_path / "my notices.errors.csv"),
        "rejectedElsewhere": 0,
        "nextPart": None,
    }
    assert cancelled[-2:] == [
        f"tidings batch upload {APP} june '{failed}'",
        "but under another BATCHID, which you create: this batch takes no more rows",
    ]


def test_callbacks_of_a_batch_are_narrowed_as_the_api_does(tidings: CommandLine, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow.json"
    narrow.write_bytes(orjson.dumps({**COMMON, "callbackOutcomes": ["F", "U"], "progressCallbacks": False}))
    create = ("batch", "create", APP, "july", "--common")

    tidings.lines(*create, narrow)

    common = tmp_path / "common.json"
    tidings.lines(*create, common, "--callback-outcomes", "UF", "--no-progress-callbacks")
    for other in ((), ("--callback-outcomes", ""), ("--callback-outcomes", "UF", "--progress-callbacks")):
        assert tidings.refused(*create, common, *other).startswith("REPEAT_REQ_INCONSISTENT: ")
    assert tidings.refused(*create, common, "--callback-outcomes", "FX") == (
        "$.callbackOutcomes[1]: must be 'S', 'F' or 'U'"
    )


def test_what_cannot_be_done_is_said_in_one_line(tidings: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("requestId\na\n", encoding="utf-8")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(row("a"))[:-9])

    assert tidings.refused("batch", "status", APP, "july").startswith("BATCH_NOT_EXIST: ")
    assert tidings.refused("batch", "status", APP, "a b").startswith("$.batchId: ")
    assert tidings.refused("batch", "run", APP, "june").startswith("BATCH_STATE_ILLEGAL: ")
    assert tidings.refused("batch", "create", APP, "june").startswith("REPEAT_REQ_INCONSISTENT: ")
    assert tidings.refused("batch", "upload", APP, "june", tmp_path / "bad.csv") == (
        "part 1: $: row 1: the head lacks the column accessToken"
    )
    assert "can't be read" in tidings.refused("batch", "upload", APP, "june", tmp_path / "cut.jsonl.gz")
    assert "can't be read" in tidings.refused("batch", "upload", APP, "june", tmp_path / "none.jsonl")
    assert tidings.refused("batch", "upload", APP, "june", tmp_path / "x.txt").startswith("FILE: must end with ")
    assert tidings.refused("batch", "create", APP, "july", "--common", tmp_path / "bad.csv").startswith("--common: ")
    errors = ("batch", "errors", APP, "june", tmp_path / "bad.csv")
    assert "bad.csv: would be part 1, which the batch has not" in tidings.refused(*errors)
    assert tidings.refused(*errors, "--part", "2", "--first-part", "3").startswith("--part, --first-part: ")
