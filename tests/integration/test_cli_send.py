"""`tidings send`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from api_adapter.send_files.senders import IntakeSender
from tests.command_line import APP, SECRET, TOKEN, CommandLine, write_sends
from tests.keys import private_pem, public_pem
from tests.samples import send_fields
from tests.servers import HOST, TOKEN_SECRET, free_port, served
from worker.contract.identity import message_id

ROOT = Path(__file__).parents[2]
GO_ON = "To go on run the same command again with --resume: what was taken already is not sent twice."


def started(tidings: CommandLine, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "api_adapter", *map(str, arguments)],
        env=os.environ | tidings.environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    """Wait until there is something in a file."""
    deadline = time.monotonic() + 60
    while not (file.exists() and file.stat().st_size):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def tidings(redis_url: str, tmp_path: Path) -> CommandLine:
    command = CommandLine(redis_url)
    command.open_shop(tmp_path)
    return command


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_line_gets_a_result_and_all_taken_is_code_0(tidings: CommandLine, tmp_path: Path) -> None:
    file = write_sends(tmp_path / "notices.jsonl", {"requestId": "a"}, "", {"requestId": "b"})

    first, last = tidings.lines("send", file)

    results = tmp_path / "notices.results.jsonl"
    assert first.startswith("2 lines, ")
    assert first.endswith(": 2 taken, 0 refused, 0 unknown")
    assert last == f"results: {results}"
    assert [(row["line"], row["requestId"], row["messageId"], row["resultStatus"]) for row in rows(results)] == [
        (1, "a", message_id(APP, "a"), "S"),
        (3, "b", message_id(APP, "b"), "S"),
    ]


def test_some_refused_is_code_2_and_the_others_are_taken(tidings: CommandLine, tmp_path: Path) -> None:
    sends = ({"requestId": "a"}, "{", {"templateCode": "NONE"}, {"requestId": "b"})
    file = write_sends(tmp_path / "notices.jsonl", *sends)

    result = tidings("send", file, "--results", tmp_path / "out.jsonl")

    assert result.exit_code == 2
    failed = tmp_path / "out.failed.jsonl"
    assert result.stdout.splitlines()[1:4] == [
        "  1 refused: PARAM_ILLEGAL, first in line 2: $: the body is not valid JSON",
        "  1 refused: TEMPLATE_NOT_EXIST, first in line 3: $.templateCode: no template has this code",
        f"failed: {failed} has the refused lines with the reason; correct them and send that file",
    ]
    assert [row["refusal"]["line"] for row in rows(failed)] == [2, 3]
    assert failed.stat().st_mode & 0o777 == 0o600
    assert [row["resultStatus"] for row in rows(tmp_path / "out.jsonl")] == ["S", "F", "F", "S"]


def test_standard_input_is_sent_and_the_summary_can_be_json(tidings: CommandLine, tmp_path: Path) -> None:
    lines = b"".join(json.dumps(send_fields(requestId=f"r{number}")).encode() + b"\n" for number in range(2_500))

    result = tidings("send", "-", "--json", "--results", tmp_path / "out.jsonl", stdin=lines)

    summary = json.loads(result.stdout)
    assert summary.pop("seconds") > 0
    assert summary == {
        "lines": 2_500,
        "taken": 2_500,
        "refused": 0,
        "unknown": 0,
        "codes": {"SUCCESS": 2_500},
        "lastLine": 2_500,
        "sentByThisRun": 2_500,
        "failed": None,
        "results": str(tmp_path / "out.jsonl"),
    }
    assert [row["line"] for row in rows(tmp_path / "out.jsonl")] == list(range(1, 2_501))


def test_results_of_standard_input_are_in_the_working_directory(
    tidings: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert tidings.lines("send", "-", stdin=json.dumps(send_fields()))[-1] == "results: stdin.results.jsonl"
    assert len(rows(tmp_path / "stdin.results.jsonl")) == 1


def test_R50_sending_a_file_again_takes_nothing_twice(tidings: CommandLine, tmp_path: Path) -> None:
    file = write_sends(tmp_path / "notices.jsonl", {"requestId": "a"}, {"requestId": "b"})
    tidings.lines("send", file)
    before = rows(tmp_path / "notices.results.jsonl")

    tidings.lines("send", file)

    assert rows(tmp_path / "notices.results.jsonl") == before
    assert tidings.lines("ledger", "check")[-1] == "proved from 2 records: all is accounted for"


def test_no_result_has_a_token_or_a_user_text(tidings: CommandLine, tmp_path: Path) -> None:
    hush = {"accessToken": "hush hush", "templates": [{"templateParameters": {"who": 5, "hush": "hush"}}]}
    file = write_sends(tmp_path / "notices.jsonl", hush, '{"accessToken": "hush')

    result = tidings("send", file)

    assert result.exit_code == 2
    assert "hush hush" not in result.output + (tmp_path / "notices.results.jsonl").read_text()
    assert '"hush' not in (tmp_path / "notices.results.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "settings", "reason"),
    [
        (["no-such.jsonl"], {}, "no-such.jsonl: can't be read (No such file or directory)"),
        (["notices.jsonl", "--results", "notices.jsonl"], {}, "--results: would overwrite the file to send"),
        (["notices.jsonl", "--results", "no/such/place"], {}, "--results: no/such/place can't be written"),
        (["-", "--resume"], {}, "--resume: needs a file; standard input can't be read again"),
        (["notices.jsonl", "--key", "key.pem"], {}, "--key, --server-key: need --url; without it nothing is signed"),
        (["notices.jsonl", "--url", "shop"], {}, "--url: must be that of the API, such as https://api.example"),
        (["notices.jsonl", "--url", "http://x", "--client-id", " "], {}, "--client-id: must be 1 to 128 printable"),
        (["notices.jsonl", "--url", "http://x", "--key", "no.pem"], {}, "--key: can't be read (No such file"),
        (["notices.jsonl", "--url", "http://x", "--key", "notices.jsonl"], {}, "--key: must be an RSA private key"),
        (["notices.jsonl", "--url", "http://x", "--server-key", "no.pem"], {}, "--server-key: can't be read (No such"),
        (["notices.jsonl", "--url", "http://x", "--server-key", "notices.jsonl"], {}, "--server-key: must be an RSA"),
        (["notices.jsonl", "--client-id", ""], {}, "--client-id: header Client-Id: is required"),
        (["notices.jsonl"], {"clients": '{"shop": ["3333"]}'}, "--client-id: header Client-Id: is not a known client"),
    ],
)
def test_what_can_not_be_sent_is_one_line_and_code_2(
    tidings: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    settings: dict[str, str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sends(tmp_path / "notices.jsonl", {})

    assert tidings.refused("send", *arguments, **settings).startswith(reason)
    assert len(rows(tmp_path / "notices.jsonl")) == 1


def test_a_client_of_the_settings_sends_for_its_apps_alone(tidings: CommandLine, tmp_path: Path) -> None:
    file = write_sends(tmp_path / "notices.jsonl", {"requestId": "a"}, {"requestId": "b", "appId": "other"})

    result = tidings("send", file, "--client-id", "shop", clients=json.dumps({"shop": [APP]}))

    assert result.exit_code == 2
    assert [row["resultCode"] for row in rows(tmp_path / "notices.results.jsonl")] == ["SUCCESS", "ACCESS_DENIED"]


def test_a_full_disk_says_how_to_go_on(tidings: CommandLine, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs the device that is always full")
    file = write_sends(tmp_path / "notices.jsonl", {})

    told = tidings.refused("send", file, "--results", "/dev/full")

    assert told == f"No space left on device: stopped; /dev/full tells what was taken. {GO_ON}"


def test_a_store_that_went_away_stops_the_batch_with_code_3(
    redis_url: str,
    tidings: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(IntakeSender.__init__, "__defaults__", ((0.0, 0.0),))
    file = write_sends(tmp_path / "notices.jsonl", *({"requestId": f"r{number}"} for number in range(4_500)))
    with redis.Redis.from_url(redis_url) as client, capture_logs():
        client.config_set("maxmemory", "1")  # accepting is refused, looking up is not
        try:
            result = tidings("send", file)
        finally:
            client.config_set("maxmemory", "0")

    assert result.exit_code == 3
    assert [row["resultStatus"] for row in rows(tmp_path / "notices.results.jsonl")] == ["U"] * 2_000
    assert result.stderr.count("the store did not answer for 2,000 lines; asking again in 0 s\n") == 2
    assert result.stdout.splitlines()[-1].endswith(GO_ON)
    going_on = tidings("send", file, "--resume")
    assert going_on.exit_code == 0
    assert going_on.stdout.splitlines()[0].endswith(": 4,500 taken, 0 refused, 0 unknown")


def test_who_interrupts_finds_in_the_results_what_was_taken(tidings: CommandLine, tmp_path: Path) -> None:
    lines = (json.dumps(send_fields(requestId=f"r{number}")).encode() + b"\n" for number in range(100_000))
    results = tmp_path / "notices.results.jsonl"
    (tmp_path / "notices.jsonl").write_bytes(b"".join(lines))

    process = started(tidings, "send", tmp_path / "notices.jsonl")
    wait_for(results, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert said.splitlines()[-2:] == [
        f"stopped; {results} tells what was taken. {GO_ON}",
        "tidings: interrupted",
    ]
    taken = rows(results)
    assert 0 < len(taken) < 100_000
    assert tidings.lines("ledger", "check")[-1] == f"proved from {len(taken):,} records: all is accounted for"


def test_who_corrects_the_failed_lines_sends_that_file(tidings: CommandLine, tmp_path: Path) -> None:
    file = write_sends(tmp_path / "notices.jsonl", {"requestId": "a", "templateCode": "NONE"}, {"requestId": "b"})
    tidings("send", file)
    failed = tmp_path / "notices.failed.jsonl"
    failed.write_text(failed.read_text().replace("NONE", "PAYMENT_NOTICE"))

    said = tidings.lines("send", failed)

    assert said[0].endswith(": 1 taken, 0 refused, 0 unknown")
    assert not (tmp_path / "notices.failed.failed.jsonl").exists()
    assert tidings.lines("ledger", "check")[-1] == "proved from 2 records: all is accounted for"


def test_who_was_killed_goes_on_with_resume(tidings: CommandLine, tmp_path: Path) -> None:
    lines = 20_000
    bodies = (json.dumps(send_fields(requestId=f"r{number}")).encode() + b"\n" for number in range(lines))
    (tmp_path / "notices.jsonl").write_bytes(b"".join(bodies))
    process = started(tidings, "send", tmp_path / "notices.jsonl", "--resume")
    wait_for(tmp_path / "notices.checkpoint.json", process)
    process.kill()
    process.communicate()

    result = tidings("send", tmp_path / "notices.jsonl", "--resume", "--json")

    summary = json.loads(result.stdout)
    assert (result.exit_code, summary["taken"], summary["unknown"]) == (0, lines, 0)
    assert summary["sentByThisRun"] < lines
    assert "going on after line" in result.stderr
    assert [row["line"] for row in rows(tmp_path / "notices.results.jsonl")] == list(range(1, lines + 1))
    assert tidings.lines("ledger", "check")[-1] == f"proved from {lines:,} records: all is accounted for"
    changed = (tmp_path / "notices.jsonl").read_bytes().replace(b"XiaoMing", b"XiaoHong", 1)
    (tmp_path / "notices.jsonl").write_bytes(changed)
    assert "--resume: the file is not the one" in tidings.refused("send", tmp_path / "notices.jsonl", "--resume")


@pytest.fixture
def keys(tidings: CommandLine, tmp_path: Path) -> Path:
    """Register the client `shop`; return where its key and the server's are."""
    tidings.environment["TIDINGS_TOKEN_SECRET"] = TOKEN_SECRET
    tidings.open_shop(tmp_path)
    directory = tmp_path / "keys"
    directory.mkdir()
    for name in ("merchant", "server"):
        (directory / f"{name}.pem").write_bytes(private_pem(name))
        (directory / f"{name}.pub.pem").write_text(public_pem(name))
    tidings.lines("client", "add", "shop", "--key", directory / "merchant.pub.pem", "--app-id", APP)
    return directory


def test_a_merchant_sends_a_file_over_the_api_while_its_server_is_killed(
    redis_url: str, tidings: CommandLine, tmp_path: Path, keys: Path
) -> None:
    lines, port = 6_000, free_port()
    sends = [{"requestId": f"r{number}"} for number in range(lines)]
    file = write_sends(tmp_path / "notices.jsonl", *sends, {"requestId": "bad", "templateCode": "NONE"})
    signed = {"signatures": "required", "signing_key_file": keys / "server.pem"}
    merchant = CommandLine("redis://127.0.0.1:1")  # it has no ledger
    access = ("--client-id", "shop", "--key", keys / "merchant.pem", "--server-key", keys / "server.pub.pem")

    with served(tmp_path / "api", redis_url, port, **signed) as server:
        url = f"http://{HOST}:{port}/api/open"
        process = started(merchant, "send", file, "--url", url, *access)
        wait_for(tmp_path / "notices.results.jsonl", process)
        for pid in server.command.family():
            os.kill(pid, signal.SIGKILL)
        server.command.ended()
    with served(tmp_path / "api2", redis_url, port, **signed):
        _, said = process.communicate(timeout=120)

    assert process.returncode == 2, said
    assert f"the API at {url} did not answer for 500 lines; asking again in" in said
    results = tmp_path / "notices.results.jsonl"
    assert [row["resultStatus"] for row in rows(results)] == ["S"] * lines + ["F"]
    assert TOKEN not in said + results.read_text() + (tmp_path / "notices.checkpoint.json").read_text()
    assert [row["refusal"]["resultCode"] for row in rows(tmp_path / "notices.failed.jsonl")] == ["TEMPLATE_NOT_EXIST"]
    assert tidings.lines("ledger", "check")[-1] == f"proved from {lines:,} records: all is accounted for"


def test_without_redis_it_says_what_to_check(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    file = write_sends(tmp_path / "notices.jsonl", {})

    assert "check TIDINGS_REDIS_URL" in CommandLine(f"redis://127.0.0.1:{port}").refused("send", file)


def test_a_shared_redis_needs_the_secret_of_the_tokens(tidings: CommandLine, tmp_path: Path) -> None:
    file = write_sends(tmp_path / "notices.jsonl", {})

    told = tidings.refused("send", file, token_secret="")

    assert told.startswith("TIDINGS_TOKEN_SECRET: is required")
    assert SECRET not in told
