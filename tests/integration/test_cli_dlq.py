"""`tidings dlq`, on dead letters of every kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.command_line import CommandLine
from tests.ledger_driver import dead, learnt, new_message
from tests.samples import payload
from worker.bootstrap import Services
from worker.contract.messages import Channel, Claim, DeliveryState, DeliveryUpdate, Lane, Settlement
from worker.contract.outcomes import MessageOutcome

S, F, U = DeliveryState.S, DeliveryState.F, DeliveryState.U
PUSH, INBOX = Channel.PUSH, Channel.INBOX
SAME_KEY = (
    "the gateway may have shown these; each is sent with the same key, so a gateway that honours keys shows it once"
)
SECRETS = ("XiaoMing", "2088000000000001", "/pages/1")

ENDS: dict[str, Callable[[Claim], Settlement]] = {
    "failed": lambda one: dead(
        one,
        DeliveryUpdate(PUSH, F, "TOO_MANY", "no", "gcash"),
        DeliveryUpdate(INBOX, F, "TOO_MANY", "no", "gcash"),
    ),
    "unanswered": lambda one: dead(
        one,
        DeliveryUpdate(PUSH, U, "UNANSWERED", "time-out", "gcash-2"),
        learnt(S, channel=INBOX),
        cause="UNANSWERED",
    ),
    "done": lambda one: dead(one, learnt(S), learnt(S, channel=INBOX), cause="EXPIRED"),
}


def message_id(name: str) -> str:
    return new_message(name).message_id


async def bury(services: Services) -> None:
    await services.ledger.open()
    await services.ledger.accept("shop", Lane.BULK, [new_message(name, channels=tuple(Channel)) for name in ENDS])
    for name in ENDS:
        await die(services, name)


async def die(services: Services, name: str) -> None:
    id_ = message_id(name)
    shard = services.keys.shard(id_)
    await services.redis.set(services.keys.payload(shard, id_), payload().pack())
    (claim,) = await services.ledger.claim(shard, [id_], f"claim of {name}")
    await services.ledger.settle([ENDS[name](claim)])


@pytest.fixture
def tidings(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    command = CommandLine(redis_url)
    command.on_services(bury)
    return command


def asked(tidings: CommandLine, *arguments: str) -> Any:  # noqa: ANN401 - whatever JSON says
    return json.loads(tidings("dlq", *arguments, "--json").stdout)


def outcome(tidings: CommandLine, name: str) -> MessageOutcome:
    async def find(services: Services) -> MessageOutcome:
        (found,) = await services.records.find([message_id(name)])
        assert found is not None
        return found

    return tidings.on_services(find)


def is_sound(tidings: CommandLine) -> bool:
    return tidings("ledger", "check").exit_code == 0


def receipt_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_letters_are_listed_the_newest_first(tidings: CommandLine) -> None:
    heading, newest, middle, oldest, summary = tidings.lines("dlq", "ls")

    assert heading.split() == ["Died", "Cause", "App", "requestId", "Channels", "Template", "messageId"]
    assert newest.split()[1:4] == ["EXPIRED", "shop", "done"]
    assert "PUSH U UNANSWERED (gcash-2), INBOX S" in middle
    assert middle.endswith(message_id("unanswered"))
    assert oldest.split()[1:4] == ["TRIES", "shop", "failed"]
    assert summary == "3 of 3 dead letters"


def test_a_page_that_is_not_all_says_how_to_get_the_rest(tidings: CommandLine) -> None:
    summary = tidings.lines("dlq", "ls", "app:shop", "--limit", "2")[-1]

    said, _, command = summary.partition("; more follow: tidings ")
    assert said == "2 of 3 dead letters"
    assert tidings.lines(*command.split())[1].split()[3] == "failed"


def test_a_query_chooses_letters(tidings: CommandLine) -> None:
    found = asked(tidings, "ls", "cause:tries gateway:gcash", "newer:1h")

    assert [letter["requestId"] for letter in found["letters"]] == ["failed"]
    assert (found["deadLetters"], found["moreAfter"]) == (3, None)
    assert asked(tidings, "ls", "older:1h")["letters"] == []


def test_a_letter_in_json_has_everything_but_what_it_says(tidings: CommandLine) -> None:
    (letter,) = asked(tidings, "ls", "request:unanswered")["letters"]

    assert isinstance(letter.pop("diedAt"), int)
    assert letter == {
        "cause": "UNANSWERED",
        "appId": "shop",
        "requestId": "unanswered",
        "messageId": message_id("unanswered"),
        "lane": "bulk",
        "templateCode": "PAY",
        "templateVersion": 3,
        "channels": [
            {"channel": "PUSH", "status": "U", "code": "UNANSWERED", "gateway": "gcash-2"},
            {"channel": "INBOX", "status": "S", "code": None, "gateway": None},
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ls", "color:red"], "QUERY: color is no key; write KEY:VALUE, the keys are app, template, request,"),
        (["ls", "--after", "next"], "--after: must be the cursor that the page before named"),
        (["show", "order-1"], "--app-id: is required for requestIds"),
        (["replay"], "name the dead letters: either IDs, or --where QUERY"),
        (["replay", "a", "--app-id", "shop", "--where", "app:shop"], "name the dead letters: either IDs"),
        (["replay", "--where", " "], "--where: must hold at least one term"),
        (["discard", "--where", "app:shop", "--reason", " "], "--reason: must have 1 to 256 characters"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_code_2(tidings: CommandLine, arguments: list[str], reason: str) -> None:
    assert tidings.refused("dlq", *arguments).startswith(reason)


def test_where_there_are_no_dead_letters_it_says_so(redis_url: str) -> None:
    tidings = CommandLine(redis_url)

    assert tidings.lines("dlq", "ls") == ["0 of 0 dead letters"]
    assert tidings.lines("dlq", "stats") == ["0 dead letters"]
    assert asked(tidings, "ls") == {"deadLetters": 0, "letters": [], "moreAfter": None}
    assert asked(tidings, "stats")["oldestAgeMs"] is None


def test_one_is_no_plural(tidings: CommandLine) -> None:
    one = asked(tidings, "ls")["letters"][0]

    found = tidings.lines("dlq", "stats", f"request:{one['requestId']}")

    assert found[-1].startswith("1 dead letter, the oldest died ")


def test_stats_count_by_cause_app_template_and_gateway(tidings: CommandLine) -> None:
    heading, *rows, summary = tidings.lines("dlq", "stats")

    assert heading.split() == ["By", "Value", "Letters", "Oldest", "died", "Ago"]
    assert [row.split()[:3] for row in rows] == [
        ["cause", "EXPIRED", "1"],
        ["cause", "TRIES", "1"],
        ["cause", "UNANSWERED", "1"],
        ["app", "shop", "3"],
        ["template", "PAY", "3"],
        ["gateway", "gcash", "1"],
        ["gateway", "gcash-2", "1"],
    ]
    assert summary.startswith("3 dead letters, the oldest died ")
    assert summary.endswith(f" ago: tidings dlq show {message_id('failed')}")


def test_stats_in_json_know_the_oldest_of_each(tidings: CommandLine) -> None:
    found = asked(tidings, "stats", "cause:UNANSWERED")

    died_at = asked(tidings, "ls", "cause:UNANSWERED")["letters"][0]["diedAt"]
    assert found.pop("oldestAgeMs") >= 0
    assert found == {
        "deadLetters": 1,
        "oldestMessageId": message_id("unanswered"),
        "oldestDiedAt": died_at,
        "byCause": [{"cause": "UNANSWERED", "letters": 1, "oldestDiedAt": died_at}],
        "byApp": [{"app": "shop", "letters": 1, "oldestDiedAt": died_at}],
        "byTemplate": [{"template": "PAY", "letters": 1, "oldestDiedAt": died_at}],
        "byGateway": [{"gateway": "gcash-2", "letters": 1, "oldestDiedAt": died_at}],
    }


def test_show_tells_the_whole_story_of_a_letter_but_no_value(tidings: CommandLine) -> None:
    shown = tidings("dlq", "show", "unanswered", "--app-id", "shop")

    assert shown.exit_code == 0
    assert "unanswered U unanswered, dead letter: UNANSWERED" in shown.stdout
    assert "PUSH unknown for good (UNANSWERED), INBOX delivered" in shown.stdout
    assert ["PUSH", "U", "gcash-2"] in [line.split() for line in shown.stdout.splitlines()]
    assert "wallet GCASH, en-US, parameters who, with redirectUrl; values are not shown" in shown.stdout
    assert not any(secret in shown.stdout for secret in SECRETS)


def test_show_in_json_has_answers_timeline_and_the_payloads_names(tidings: CommandLine) -> None:
    result = tidings("dlq", "show", message_id("failed"), "--json")

    (story,) = json.loads(result.stdout)
    assert [(one["channel"], one["gateway"], one["message"]) for one in story["answers"]] == [
        ("PUSH", "gcash", "no"),
        ("INBOX", "gcash", "no"),
    ]
    assert (story["cause"], len(story["timeline"]), story["interventions"]) == ("TRIES", 1, [])
    assert story["payload"]["parameters"] == ["who"]
    assert not any(secret in result.stdout for secret in SECRETS)


def test_what_is_no_dead_letter_is_shown_as_none_with_code_4(tidings: CommandLine) -> None:
    result = tidings("dlq", "show", "nobody", "failed", "--app-id", "shop")

    assert result.exit_code == 4
    assert "nobody: no dead letter; see tidings status" in result.stdout
    assert "dead letter: TRIES" in result.stdout


def test_an_unreadable_payload_is_told_as_one(tidings: CommandLine) -> None:
    async def spoil(services: Services) -> None:
        redis: Redis = services.redis
        id_ = message_id("failed")
        await redis.set(services.keys.payload(services.keys.shard(id_), id_), "not ours")

    tidings.on_services(spoil)

    assert "payload: gone or unreadable" in tidings("dlq", "show", message_id("failed")).stdout


def test_a_replay_without_yes_counts_and_changes_nothing(tidings: CommandLine) -> None:
    assert tidings.lines("dlq", "replay", "--where", "app:shop") == [
        "3 dead letters: would send 3 channels of them again",
        "  3 channels of them delivered already (S): never sent again",
        f"  1 of those to send are U: {SAME_KEY}",
        "  1 letter with nothing left to send: suppressed, final from then on",
        "nothing was changed; add --yes to replay",
    ]
    assert asked(tidings, "replay", "--where", "app:shop") == {
        "dryRun": True,
        "letters": 3,
        "toSend": 3,
        "failedDeliveries": 2,
        "unansweredDeliveries": 1,
        "deliveredAlready": 3,
        "suppressedLetters": 1,
        "noDeadLetters": [],
    }
    assert len(asked(tidings, "ls")["letters"]) == 3


def test_a_replay_opens_letters_and_writes_a_receipt(tidings: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "receipt.jsonl"

    (line,) = tidings.lines("dlq", "replay", "--where", "app:shop", "--yes", "--receipt", path)

    assert line == f"replayed: 2 sent, 1 suppressed, 0 failed; each one: {path}"
    head, trying, *results, end = receipt_lines(path)
    assert head["selection"] == {"where": "app:shop"}
    assert len(trying["trying"]) == 3
    assert {one["requestId"]: (one["result"], one["channels"]) for one in results} == {
        "failed": ("sent", {"PUSH": "sent", "INBOX": "sent"}),
        "unanswered": ("sent", {"PUSH": "sent", "INBOX": "suppressed"}),
        "done": ("suppressed", {"PUSH": "suppressed", "INBOX": "suppressed"}),
    }
    assert end == {"finished": {"sent": 2, "suppressed": 1, "failed": 0}}
    assert asked(tidings, "ls")["letters"] == []
    assert is_sound(tidings)


def test_a_replayed_message_has_the_deadline_of_the_settings(tidings: CommandLine) -> None:
    tidings("dlq", "replay", message_id("failed"), "--yes", deliver_within="60000")

    replayed = outcome(tidings, "failed")
    assert replayed.expires_at - replayed.interventions[0].at == 60_000


def test_a_replay_by_ids_says_which_failed_with_code_1(tidings: CommandLine) -> None:
    rehearsed = tidings("dlq", "replay", "failed", "nobody", "--app-id", "shop")
    result = tidings("dlq", "replay", "failed", "nobody", "--app-id", "shop", "--yes", "--json")

    assert (rehearsed.exit_code, result.exit_code) == (1, 1)
    assert f"  no dead letter: {message_id('nobody')}" in rehearsed.stdout
    done = json.loads(result.stdout)
    assert (done["sent"], done["suppressed"], done["failed"]) == (1, 0, 1)
    (failed,) = [line for line in receipt_lines(Path(done["receipt"])) if line.get("result") == "failed"]
    assert failed == {"messageId": message_id("nobody"), "result": "failed", "reason": "it is no dead letter"}


def interrupted_receipt(tidings: CommandLine, *, reached: bool) -> Path:
    """Leave what a replay leaves that was killed in its first step, before or after the ledger took it."""
    done = json.loads(tidings("dlq", "replay", "--where", "request:failed", "--yes", "--json").stdout)
    path = Path(done["receipt"])
    head, trying, *_ = path.read_bytes().splitlines(keepends=True)
    if not reached:
        tidings.on_services(lambda services: die(services, "failed"))
        head = head.replace(done["run"].encode(), b"0123456789abcdef")
        started = asked(tidings, "ls", "request:failed")["letters"][0]["diedAt"]
        head = head.replace(str(json.loads(head)["startedAt"]).encode(), str(started).encode())
    path.write_bytes(head + trying + b'{"messageId":"torn')
    return path


def test_an_interrupted_replay_goes_on_and_replays_nothing_twice(tidings: CommandLine) -> None:
    path = interrupted_receipt(tidings, reached=True)
    tidings.on_services(lambda services: die(services, "failed"))

    result = tidings("dlq", "replay", "--where", "request:failed", "--yes")

    assert result.stdout.startswith("replayed: 1 sent, 0 suppressed, 0 failed")
    assert "goes on with the run in" in result.stderr
    assert len(outcome(tidings, "failed").interventions) == 1
    assert [line["result"] for line in receipt_lines(path) if "result" in line] == ["sent"]
    assert asked(tidings, "ls", "request:failed")["letters"]


def test_an_interrupted_replay_that_did_not_reach_the_ledger_does_it_now(tidings: CommandLine) -> None:
    interrupted_receipt(tidings, reached=False)

    result = tidings("dlq", "replay", "--where", "request:failed", "--yes")

    assert result.stdout.startswith("replayed: 1 sent, 0 suppressed, 0 failed")
    assert [entry.run for entry in outcome(tidings, "failed").interventions][-1] == "0123456789abcdef"
    assert asked(tidings, "ls", "request:failed")["letters"] == []


def test_a_replay_that_ended_is_not_gone_on_with(tidings: CommandLine) -> None:
    first = json.loads(tidings("dlq", "replay", message_id("failed"), "--yes", "--json").stdout)
    tidings.on_services(lambda services: die(services, "failed"))

    second = json.loads(tidings("dlq", "replay", message_id("failed"), "--yes", "--json").stdout)

    assert second["receipt"] == first["receipt"]
    assert second["run"] != first["run"]
    assert (second["sent"], len(outcome(tidings, "failed").interventions)) == (1, 2)


def test_a_receipt_of_another_selection_is_not_written_to(tidings: CommandLine) -> None:
    path = interrupted_receipt(tidings, reached=True)

    reason = tidings.refused("dlq", "replay", message_id("done"), "--yes", "--receipt", path)

    assert "has an unfinished replay of another selection" in reason


def test_a_file_that_is_no_receipt_is_not_written_to(tidings: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes", encoding="utf-8")

    assert "is no receipt of a replay" in tidings.refused(
        "dlq", "replay", message_id("done"), "--yes", "--receipt", path
    )
    assert path.read_text(encoding="utf-8") == "my notes"


def test_a_discard_without_yes_counts_and_changes_nothing(tidings: CommandLine) -> None:
    assert tidings.lines("dlq", "discard", "--where", "cause:TRIES", "--reason", "over") == [
        "would discard 1 dead letter",
        "nothing was changed; add --yes to discard",
    ]
    assert len(asked(tidings, "ls")["letters"]) == 3


def test_a_discard_keeps_outcome_and_reason(tidings: CommandLine) -> None:
    (line,) = tidings.lines("dlq", "discard", "--where", "cause:TRIES", "--reason", "the sale  is over", "--yes")

    assert line == "discarded 1 dead letter; outcomes are remembered for 7d"
    shown = tidings("status", "failed", "--app-id", "shop")
    assert shown.exit_code == 1
    assert "discarded after attempt 1, was TRIES: the sale is over" in shown.stdout
    assert len(asked(tidings, "ls")["letters"]) == 2
    assert is_sound(tidings)


def test_what_is_no_dead_letter_is_not_discarded_with_code_1(tidings: CommandLine) -> None:
    result = tidings("dlq", "discard", message_id("nobody"), "--reason", "over", "--yes", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"dryRun": False, "discarded": 0, "noDeadLetters": [message_id("nobody")]}


def test_an_export_has_a_line_for_each_letter_and_no_value(tidings: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"

    result = tidings("dlq", "export", "app:shop", "--output", path)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "3 dead letters written")
    lines = receipt_lines(path)
    assert [line["requestId"] for line in lines] == ["done", "unanswered", "failed"]
    assert lines[2]["payload"]["parameters"] == ["who"]
    assert not any(secret in path.read_text(encoding="utf-8") for secret in SECRETS)


def test_an_export_goes_to_standard_output_by_default(tidings: CommandLine) -> None:
    (line,) = tidings.lines("dlq", "export", "request:done")

    assert json.loads(line)["messageId"] == message_id("done")


def test_an_export_overwrites_nothing(tidings: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    path.write_text("precious", encoding="utf-8")

    assert tidings.refused("dlq", "export", "--output", path).startswith("--output: can't be written as a new file")
    assert path.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("length", [255, 256, 257])
def test_a_reason_has_at_most_256_characters(tidings: CommandLine, length: int) -> None:
    arguments = ("dlq", "discard", "--where", "app:shop", "--reason", "w" * length)

    if length > 256:
        assert tidings.refused(*arguments) == "--reason: must have 1 to 256 characters"
    else:
        assert tidings.lines(*arguments)[0].startswith("would discard")
