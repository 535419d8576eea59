"""`tidings batch`, from a file to its outcomes."""

import gzip
import json
from pathlib import Path

import orjson
import pytest

from tests.command_line import APP, TOKEN, CommandLine

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


def test_csv_is_uploaded_and_every_part_has_the_head(tidings: CommandLine, tmp_path: Path) -> None:
    notices = tmp_path / "notices.csv"
    rows = "".join(f'r{number},{TOKEN},"A ""B""\nC"\n' for number in range(30))
    notices.write_text(f"requestId,accessToken,p.who\n{rows}", encoding="utf-8")

    assert tidings.lines("batch", "upload", APP, "june", notices, "--first-part", "7") == [
        "part 7: 30 accepted, 0 duplicate, 0 rejected"
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
