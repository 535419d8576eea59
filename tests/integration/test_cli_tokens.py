"""`tidings token`."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine
from worker.bootstrap import Services

ROOT = Path(__file__).parents[2]
GRANT = ("--customer-id", "2088", "--app-id", "3333", "--wallet", "GCASH")


@pytest.fixture
def tidings(redis_url: str) -> CommandLine:
    return CommandLine(redis_url)


def listed(tidings: CommandLine, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads("\n".join(tidings.lines("token", "list", "--json", *arguments)))
    return found


def token_line(token: str, **fields: object) -> str:
    whole = {"accessToken": token, "appId": "3333", "customerId": f"customer of {token[:3]}", "wallet": "GCASH"}
    return json.dumps(whole | fields)


def test_put_stores_everything_that_the_token_grants(tidings: CommandLine) -> None:
    options = ["--language", "en_us", "--language", "ja", "--opt-out", "PUSH", "--scope", "AUTH"]
    options += ["--time-zone", "Asia/Manila", "--quiet-hours", "22:00-07:00"]
    tidings.lines("token", "put", "hush-1", *GRANT, *options, "--expires-at", "2031-05-01T12:00:00Z")

    (stored,) = listed(tidings)
    token_id = stored.pop("id")
    assert len(token_id) == 32
    assert stored == {
        "customerId": "2088",
        "appId": "3333",
        "wallet": "GCASH",
        "languages": ["en-US", "ja"],
        "optedOut": ["PUSH"],
        "timeZone": "Asia/Manila",
        "quietHours": "22:00-07:00",
        "scopes": ["AUTH"],
        "expiresAt": 1_935_403_200_000,
    }


def test_a_token_put_again_is_replaced(tidings: CommandLine) -> None:
    tidings.lines("token", "put", "hush-1", *GRANT)
    tidings.lines("token", "put", "hush-1", *GRANT, "--opt-out", "INBOX")

    assert [stored["optedOut"] for stored in listed(tidings)] == [["INBOX"]]


def test_a_token_can_come_from_standard_input(tidings: CommandLine) -> None:
    piped = tidings.lines("token", "put", "-", *GRANT, stdin="hush-1\n")
    given = tidings.lines("token", "put", "hush-1", *GRANT)

    assert piped == given


def test_on_a_terminal_a_token_is_asked_for_and_not_shown(tidings: CommandLine) -> None:
    put, shown = on_terminal(tidings, "hush-1\n", "token", "put", "-", *GRANT)
    revoked, _ = on_terminal(tidings, "hush-1\n", "token", "revoke", "-")

    assert (put, revoked) == (0, 0)
    assert "Access token:" in shown
    assert "hush" not in shown
    assert listed(tidings) == []


def on_terminal(tidings: CommandLine, typed: str, *arguments: str) -> tuple[int, str]:
    """Return the exit code of a command, and what a terminal shows of it while somebody types once asked."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "api_adapter", *arguments],
        env=os.environ | tidings.environment | {"PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # what reading a terminal raises once nobody else has it open
        while part := os.read(terminal, 1_000):
            shown += part
            if shown.endswith(b"token: "):
                os.write(terminal, typed.encode())
    os.close(terminal)
    return process.wait(60), shown.decode()


def test_no_command_prints_a_token(tidings: CommandLine) -> None:
    put = tidings("token", "put", "hush-1", *GRANT, "--expires-in", "30d")
    bad = tidings("token", "put", "hush 1", *GRANT)
    shown = tidings("token", "list")
    unknown = tidings("token", "revoke", "hush-2")
    revoked = tidings("token", "revoke", "hush-1")

    assert (put.exit_code, bad.exit_code, shown.exit_code, unknown.exit_code, revoked.exit_code) == (0, 2, 0, 2, 0)
    assert not any("hush" in result.output for result in (put, bad, shown, unknown, revoked))


def test_an_unknown_wallet_is_noted_and_the_token_put(tidings: CommandLine) -> None:
    result = tidings("token", "put", "hush-1", *GRANT)
    tidings.lines("wallet", "put", "GCASH", "--gateway", "http://wallet.test")
    again = tidings("token", "put", "hush-1", *GRANT)

    assert result.stderr == "note: there is no wallet GCASH yet, so sends are refused; see tidings wallet put\n"
    assert (result.exit_code, again.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["hush-1", *GRANT[2:]], "--customer-id: is required"),
        (["hush-1", *GRANT, "--expires-in", "soon"], "--expires-in: must be a duration such as 30s"),
        ([*GRANT], "give TOKEN with its options, or --file alone"),
        (["hush-1", "--file", "tokens.jsonl"], "give TOKEN with its options, or --file alone"),
        (["--file", "tokens.jsonl", *GRANT], "give TOKEN with its options, or --file alone"),
        (["--file", "no-such-file.jsonl"], "--file: can't be read (No such file or directory)"),
    ],
)
def test_what_can_not_be_put_is_one_line_and_code_2(tidings: CommandLine, arguments: list[str], reason: str) -> None:
    assert tidings.refused("token", "put", *arguments).startswith(reason)


def test_a_file_puts_its_good_lines_and_names_the_bad_ones(tidings: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "tokens.jsonl"
    file.write_text("\n".join([token_line("hush-1"), "", "{", token_line("hush 2"), token_line("hush-3")]))

    result = tidings("token", "put", "--file", file)

    assert (result.exit_code, result.stdout) == (2, "put 2 tokens\n")
    assert result.stderr.splitlines()[1:] == [
        "line 3: $: the body is not valid JSON",
        "line 4: $.accessToken: must not contain @, #, ?, white space or control characters",
        "tidings: --file: 2 lines refused: mend what is wrong and put the file again",
    ]
    assert len(listed(tidings)) == 2


def test_a_file_of_many_faults_tells_the_first_ones(tidings: CommandLine) -> None:
    result = tidings("token", "put", "--file", "-", stdin="{\n" * 3_000)

    told = result.stderr.splitlines()
    assert (len(told), told[0]) == (21, "line 1: $: the body is not valid JSON")
    assert told[-1].startswith("tidings: --file: 3,000 lines refused")


def test_a_file_of_more_than_a_chunk_is_put_whole(tidings: CommandLine) -> None:
    tidings.lines("wallet", "put", "GCASH", "--gateway", "http://wallet.test")

    assert tidings.lines(
        "token", "put", "--file", "-", stdin="\n".join(token_line(f"token-{number}") for number in range(2_500))
    ) == ["put 2,500 tokens"]
    assert len(listed(tidings, "--limit", "3000")) == 2_500


def test_list_shows_the_first_digits_and_what_is_granted(tidings: CommandLine) -> None:
    tidings.lines("token", "put", "hush-1", *GRANT, "--expires-at", "2031-05-01T12:00:00Z")
    (stored,) = listed(tidings)

    heading, row = tidings.lines("token", "list")

    assert heading.split()[:2] == ["ID", "Customer"]
    assert row.split() == [stored["id"][:12], "2088", "3333", "GCASH", "SEND_MESSAGE", "2031-05-01T12:00:00.000Z"]


def test_list_is_bounded_and_says_so(tidings: CommandLine) -> None:
    tidings.lines("token", "put", "--file", "-", stdin="\n".join(token_line(f"token-{number}") for number in range(3)))

    result = tidings("token", "list", "--limit", "2")

    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "note: there are more than 2; raise --limit, or name an --app-id\n"


def test_list_can_be_of_one_app(tidings: CommandLine) -> None:
    tidings.lines("token", "put", "hush-1", *GRANT)
    tidings.lines("token", "put", "hush-2", "--customer-id", "2", "--app-id", "4444", "--wallet", "GCASH")

    assert [stored["appId"] for stored in listed(tidings, "--app-id", "4444")] == ["4444"]


def test_where_nothing_is_listed_it_says_how_to_put_a_token(tidings: CommandLine) -> None:
    assert tidings.lines("token", "list") == ["no such tokens: see tidings token put --help"]
    assert listed(tidings) == []


def test_a_token_is_revoked_by_itself_by_its_digits_and_by_its_whole_id(tidings: CommandLine) -> None:
    for token in ("hush-1", "hush-2", "hush-3"):
        tidings.lines("token", "put", token, *GRANT)
    first = tidings.lines("token", "revoke", "hush-1")
    second, third = (stored["id"] for stored in listed(tidings))

    revoked = tidings.lines("token", "revoke", second[:12], third)

    assert revoked == [f"revoked {second[:12]}", f"revoked {third[:12]}"]
    assert first[0].startswith("revoked ")
    assert listed(tidings) == []


def test_tokens_to_revoke_can_come_from_standard_input(tidings: CommandLine) -> None:
    for token in ("hush-1", "hush-2"):
        tidings.lines("token", "put", token, *GRANT)

    assert len(tidings.lines("token", "revoke", "-", stdin="hush-1\n\nhush-2\n")) == 2


def test_a_token_that_looks_like_an_id_is_a_token_first(tidings: CommandLine) -> None:
    token = "0123456789abcdef"
    tidings.lines("token", "put", token, *GRANT)

    tidings.lines("token", "revoke", token)

    assert listed(tidings) == []


def test_revoke_does_what_it_can_and_names_the_rest_by_place(tidings: CommandLine) -> None:
    tidings.lines("token", "put", "hush-1", *GRANT)

    result = tidings("token", "revoke", "hush-1", "hush-2", "00000000", "hush-1")

    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == "tidings: no token and no id of one: argument 2, 3; see tidings token list\n"


def test_digits_that_begin_two_ids_revoke_neither(tidings: CommandLine) -> None:
    async def two_alike(services: Services) -> None:
        packed = await services.redis.get(services.keys.token(services.users.token_id("hush-1")))
        for end in ("0" * 24, "1" * 24):
            await services.redis.set(services.keys.token("abcdef12" + end), packed or b"")

    tidings.lines("token", "put", "hush-1", *GRANT)
    tidings.on_services(two_alike)

    assert tidings.refused("token", "revoke", "abcdef12").startswith("the first digits of several ids: argument 1")
    assert len(listed(tidings)) == 3


def test_another_secret_finds_no_token(tidings: CommandLine) -> None:
    tidings.lines("token", "put", "hush-1", *GRANT)

    told = tidings.refused("token", "revoke", "hush-1", token_secret="another secret than before")

    assert told.startswith("no token and no id of one")
