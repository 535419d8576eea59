"""`tidings lint` against a real Valkey."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
import pytest
from redis import Redis
from typer.testing import CliRunner, Result

from api_adapter.cli.main import app
from tests.front_desk import APP, TOKEN, grant, payment_notice, user, wallet
from tests.samples import send_body, send_fields
from worker.bootstrap import Addresses, Services, services
from worker.contract.users import SendCap
from worker.settings import Settings

INCONSISTENT = "$.requestId: is known with another content; use a new requestId for a new message"
TOO_LONG = "at most 1024 are allowed: shorten the template or its parameters"
CAP_REACHED = "the wallet's limit of messages of this appId to one customer is reached"
SECRET = "only for this test, and long enough"


@pytest.fixture(autouse=True)
def ledger(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TIDINGS_REDIS_URL", redis_url)
    monkeypatch.setenv("TIDINGS_TOKEN_SECRET", SECRET)
    asyncio.run(furnish(redis_url))
    return redis_url


async def furnish(url: str) -> None:
    async with opened(url) as found:
        await found.ledger.open()
        await found.users.put([(TOKEN, grant(user(languages=("ja",))))])
        await found.wallets.put(wallet(cap=SendCap(3, 86_400_000)))
        await found.templates.put(payment_notice())


def opened(url: str) -> AbstractAsyncContextManager[Services]:
    return services(Settings(redis_url=url, token_secret=SECRET), Addresses(url, url))


def everything(url: str) -> dict[bytes, bytes]:
    """Return all that the store holds."""
    with Redis.from_url(url) as redis:
        return {key: redis.dump(key) for key in redis.scan_iter()}


def lint(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["lint", *map(str, arguments)], input=stdin, env={"COLUMNS": "120"})


def test_on_a_terminal_a_refusal_stands_where_the_bar_was_and_is_broken_between_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TTY_INTERACTIVE": "1", "FORCE_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "sends.jsonl"
    file.write_text(json.dumps(send_fields(redirectUrl="")) + "\n{}\n", "utf-8")

    result = CliRunner().invoke(app, ["lint", str(file)], env={"COLUMNS": "60"})

    assert "\x1b[2Kline 1: would be refused: PARAM_ILLEGAL: " in result.output
    assert max(map(len, result.stdout.splitlines())) <= 60


def test_one_send_is_previewed_and_nothing_is_taken(tmp_path: Path, ledger: str) -> None:
    file = tmp_path / "send.json"
    both = [
        {"language": "en-US", "templateParameters": {"who": "Mia", "colour": "red"}},
        {"language": "ja", "templateParameters": {"who": "ミア", "amount": "¥5"}},
    ]
    file.write_text(json.dumps(send_fields(templates=both), indent=2), "utf-8")

    result = lint(file)

    assert result.exit_code == 0, result.output
    shown = result.stdout
    assert shown.startswith("would be taken: S\ntemplate: PAYMENT_NOTICE version 1\n")
    assert "language: ja-JP, because it is closest to what the user prefers" in shown
    assert "note: $.templates[0].templateParameters.colour: is not used by the template" in shown
    assert "cap: 0 of 3 messages in 1d counted for this user, 3 left" in shown
    assert all(text in shown for text in ("PUSH in en-US", "Hello, Mia", "INBOX in ja-JP", "お支払い ¥5", "→ /pages/1"))
    assert TOKEN not in result.output
    stored = everything(ledger)
    assert lint(file).stdout == shown
    assert everything(ledger) == stored


def test_a_send_in_trouble_says_why_and_is_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "send.json"
    file.write_bytes(send_body(templates=[{"language": "ja", "templateParameters": {"who": "ミア"}}]))

    result = lint(file)

    told = "would be refused: PARAM_ILLEGAL: $.templates[0].templateParameters.amount: is required by the template"
    assert result.exit_code == 1
    assert told in result.stdout
    assert "ja-JP: lacks amount" in result.stdout


LINES = [
    send_body(requestId="a"),
    b"",
    send_body(requestId="b", templates=[{"templateParameters": {}}]),
    b"{",
    send_body(requestId="a"),
    send_body(requestId="a", redirectUrl="/other"),
    send_body(requestId="c", templates=[{"templateParameters": {"who": "x" * 2000}}]),
    send_body(requestId="d", accessToken="unknown-token"),
    send_body(requestId="e", templates=[{"templateParameters": {"who": "x", "more": "y"}}]),
    send_body(requestId="f"),
]


def test_a_file_is_told_line_by_line_and_summed_up(tmp_path: Path) -> None:
    file = tmp_path / "notices.jsonl"
    file.write_bytes(b"\n".join(LINES) + b"\n")

    result = lint(file)

    assert result.exit_code == 1
    told = result.stdout.splitlines()
    assert told[:6] == [
        "line 3: would be refused: PARAM_ILLEGAL: $.templates[0].templateParameters.who: is required by the template",
        "line 4: would be refused: PARAM_ILLEGAL: $: the body is not valid JSON",
        f"line 6: would be refused: REPEAT_REQ_INCONSISTENT: {INCONSISTENT} (line 1 has this requestId)",
        f"line 7: would never be delivered: PUSH body has 2007 characters, {TOO_LONG}",
        "line 8: would be refused: INVALID_ACCESS_TOKEN: $.accessToken: is not a token of this appId",
        f"line 10: would be refused: MESSAGE_SEND_EXCEED_LIMIT: {CAP_REACHED}",
    ]
    assert told[6].startswith("9 lines")
    assert told[6].endswith(
        "2 would be taken, 1 taken before, 1 would never be delivered, 5 would be refused, 0 unknown",
    )
    assert "  2 would be refused: PARAM_ILLEGAL" in told
    assert "  1 with something that is not used, such as a parameter: see --json" in told
    assert TOKEN not in result.output
    assert "unknown-token" not in result.output


def test_for_programs_each_line_is_an_object_and_the_summary_is_elsewhere() -> None:
    result = lint("-", "--json", stdin=b"\n".join(LINES))

    rows = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [(row["line"], row["fate"]) for row in rows] == [
        (1, "TAKEN"),
        (3, "REFUSED"),
        (4, "REFUSED"),
        (5, "REPEATED"),
        (6, "REFUSED"),
        (7, "UNDELIVERABLE"),
        (8, "REFUSED"),
        (9, "TAKEN"),
        (10, "REFUSED"),
    ]
    assert (rows[3]["repeatOf"], rows[3]["result"]["resultStatus"]) == (1, "S")
    assert rows[0]["cap"] == {"messages": 3, "period": 86_400_000, "counted": 0, "left": 3}
    assert rows[0]["languages"][0]["channels"][0]["content"]["content"] == "Hello, XiaoMing"
    assert result.stderr.startswith("9 lines")
    assert TOKEN not in result.output


def test_of_each_kind_of_trouble_so_many_lines_are_shown_as_asked() -> None:
    body = b"\n".join(send_body(requestId=f"r{number}", accessToken="nobody") for number in range(30))

    few, none = lint("-", "--most", "2", stdin=body), lint("-", "--most", "0", stdin=body)

    assert [line.partition(":")[0] for line in few.stdout.splitlines()[:2]] == ["line 1", "line 2"]
    assert few.stdout.splitlines()[2] == "and 28 more lines that would be refused: INVALID_ACCESS_TOKEN"
    assert none.stdout.startswith("30 lines")


def test_a_file_that_is_all_right_or_empty_is_exit_code_0(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()

    assert lint("-", stdin=send_body(requestId="a") + b"\n" + send_body(requestId="b")).exit_code == 0
    assert lint(empty).exit_code == 0


def test_what_was_taken_before_is_a_repeat(tmp_path: Path) -> None:
    file, results = tmp_path / "one.jsonl", tmp_path / "results.jsonl"
    file.write_bytes(send_body() + b"\n")
    sent = CliRunner().invoke(app, ["send", str(file), "--results", str(results)])
    assert sent.exit_code == 0, sent.output
    message_id = orjson.loads(results.read_bytes())["messageId"]

    assert lint(file).stdout.startswith(f"taken before: S with messageId {message_id}, and nothing new is sent\n")


@pytest.mark.parametrize("arguments", [["none.jsonl"], ["."]])
def test_a_file_that_can_not_be_read_is_told_and_exit_code_2(arguments: list[str]) -> None:
    result = lint(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't be read" in result.stderr


def test_a_client_that_is_not_known_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_CLIENTS", json.dumps({"merchant-1": [APP]}))

    assert "--client-id: header Client-Id: is not a known client" in lint("-", stdin=send_body()).stderr
    assert lint("-", "--client-id", "merchant-1", stdin=send_body()).exit_code == 0


def test_without_the_store_it_says_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_REDIS_URL", "redis://127.0.0.1:1/0")

    result = lint("-", stdin=send_body())

    assert result.exit_code == 2
    assert "check TIDINGS_REDIS_URL" in result.stderr
