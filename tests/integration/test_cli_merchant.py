"""`tidings merchant`, on messages in a real ledger."""

import json
from pathlib import Path

import pytest

from tests.command_line import CommandLine
from tests.keys import public_pem
from tests.ledger_driver import new_messages
from worker.bootstrap import Services
from worker.contract.batch_jobs import CANCEL, PAUSE, RUN, Extent, PartSummary, Upload
from worker.contract.messages import Lane
from worker.contract.origins import BatchPart, Origin


async def _take(services: Services) -> None:
    await services.ledger.open()
    await services.ledger.accept("shop", Lane.BULK, new_messages(40))
    await services.ledger.accept("shop", Lane.BULK, new_messages(10, prefix="b"), part=BatchPart("b1"))
    for message in new_messages(2):
        shard = services.keys.shard(message.message_id)
        await services.ledger.claim(shard, [message.message_id], "claim-1")


@pytest.fixture
def tidings(redis_url: str) -> CommandLine:
    command = CommandLine(redis_url)
    command.on_services(_take)
    return command


def test_a_pause_is_shown_until_it_is_resumed(tidings: CommandLine) -> None:
    assert tidings.lines("merchant", "show") == ["nothing is paused"]
    assert tidings.lines("merchant", "pause", "shop") == [
        "shop is paused: 48 messages waiting, 2 with workers or to be tried again"
    ]
    tidings.lines("merchant", "pause", "cafe", "--batch", "b7")

    shown = tidings.lines("merchant", "show")
    assert [line.split()[:2] for line in shown[1:]][1][0] == "shop"
    assert "cafe" in shown[1]
    assert "b7" in shown[1]
    assert tidings.lines("merchant", "show", "shop")[-1].startswith("shop: 48 messages waiting")
    assert [one["appId"] for one in json.loads(tidings("merchant", "show", "--json").stdout)["paused"]] == [
        "cafe",
        "shop",
    ]
    checks = json.loads(tidings("doctor", "--json").stdout)["checks"]
    (finding,) = next(check["findings"] for check in checks if check["name"] == "pauses")
    assert (finding["severity"], finding["what"].split(" is paused since ")[0]) == ("warning", "shop")

    assert tidings.lines("merchant", "resume", "shop")[0].startswith("shop goes on: ")
    assert "cafe" in tidings.lines("merchant", "show")[1]


def test_what_was_not_run_yet_is_told_apart_from_what_is_paused(tidings: CommandLine) -> None:
    async def have_jobs(services: Services) -> None:
        for name, *changes in (("held",), ("running", RUN), ("paused", RUN, PAUSE), ("cancelled", CANCEL)):
            batch = Origin("shop", name)
            await services.batch_jobs.create(batch, b"{}", 1_000)
            await services.batch_jobs.begin(Upload(batch, 1, "u"), "0a" * 32, Extent(1, 1))
            await services.batch_jobs.finish(Upload(batch, 1, "u"), PartSummary(1))
            for change in changes:
                await services.batch_jobs.move(batch, change, 0, 1_000)
            await services.pauses.pause(batch)

    tidings.on_services(have_jobs)

    assert [line.split()[:3] for line in tidings.lines("merchant", "show")[1:]] == [
        ["shop", "cancelled", "CANCELLED"],
        ["shop", "held", "HELD"],
        ["shop", "paused", "PAUSED"],
        ["shop", "running", "PAUSED"],
    ]
    found = json.loads(tidings("merchant", "show", "shop", "--json").stdout)["paused"]
    assert [one["state"] for one in found] == ["CANCELLED", "HELD", "PAUSED", "PAUSED"]
    checks = json.loads(tidings("doctor", "--json").stdout)["checks"]
    (finding,) = next(check["findings"] for check in checks if check["name"] == "pauses")
    assert finding["what"] == "no merchant is paused; batches: 1 held until they are run, 2 paused"


def test_a_batch_whose_merchant_is_paused_is_said_to_wait_still(tidings: CommandLine) -> None:
    tidings.lines("merchant", "pause", "shop")

    (line,) = tidings.lines("merchant", "resume", "shop", "--batch", "b1")

    assert line.startswith("batch b1 of shop was not paused by itself, and is still paused, as shop is: 10 messages")
    tidings.lines("merchant", "pause", "shop", "--batch", "b1")
    (line,) = tidings.lines("merchant", "resume", "shop", "--batch", "b1")
    assert line.startswith("batch b1 of shop is still paused, as shop is: 10 messages waiting, 0 with workers")


def test_a_repeat_says_that_nothing_changed_and_succeeds(tidings: CommandLine) -> None:
    verbs = ("resume", "pause", "pause", "resume", "resume")

    said = [tidings.lines("merchant", verb, "shop")[0].partition(":")[0] for verb in verbs]
    told = [json.loads(tidings("merchant", verb, "shop", "--batch", "b1", "--json").stdout) for verb in verbs]

    assert said == [
        "shop was not paused",
        "shop is paused",
        "shop was paused already",
        "shop goes on",
        "shop was not paused",
    ]
    assert [(one["wasPaused"], one["paused"]) for one in told] == [
        *((False, False), (False, True), (True, True), (True, False), (False, False))
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resume", "cofe"), "cofe was not paused: 0 messages waiting, 0 with workers or to be tried again"),
        (("cancel", "cofe", "--yes"), "cancelled 0 messages: nothing was open"),
    ],
)
def test_what_nothing_is_known_of_is_noted(tidings: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    app, batch = tidings("merchant", *arguments), tidings("merchant", *arguments, "--batch", "b7")

    assert (app.exit_code, app.stdout, batch.exit_code) == (0, f"{said}\n", 0)
    assert app.stderr == "note: no message, client, callback or setting has this appId; it may be misspelt\n"
    assert batch.stderr == "note: no message and no batch job has this batchId; it may be misspelt\n"


def test_a_rehearsed_cancel_notes_what_nothing_is_known_of(tidings: CommandLine) -> None:
    assert "note: no message, client," in tidings("merchant", "cancel", "cofe").stderr
    assert tidings("merchant", "cancel", "shop").stderr == ""


def test_a_second_cancel_says_that_nothing_is_open(tidings: CommandLine) -> None:
    arguments = ("merchant", "cancel", "shop", "--batch", "b1", "--yes")
    tidings.lines(*arguments)

    again = tidings(*arguments)

    assert (again.exit_code, again.stdout, again.stderr) == (0, "cancelled 0 messages: nothing was open\n", "")


def test_without_yes_nothing_is_cancelled(tidings: CommandLine) -> None:
    tidings.lines("merchant", "pause", "shop")

    assert tidings.lines("merchant", "cancel", "shop") == [
        "would cancel what was not sent of shop: 48 messages waiting, 2 with workers or to be tried again",
        "nothing was changed; add --yes to cancel",
    ]
    assert tidings.lines("merchant", "show", "shop")[-1].startswith("shop: 48 messages waiting")


def test_what_was_not_sent_is_cancelled_and_the_rest_is_counted(tidings: CommandLine) -> None:
    result = tidings("merchant", "cancel", "shop", "--yes", "--reason", "wrong price")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "cancelled 48 messages",
        "  2 go on: a worker holds them; run this again for what comes back unsent",
    ]
    story = tidings("status", "r5", "--app-id", "shop").stdout
    assert "CANCELLED" in story
    assert "never attempted" in story
    assert "cancelled before any attempt: wrong price" in story
    assert tidings("ledger", "check").exit_code == 0


def test_a_batch_is_cancelled_alone(tidings: CommandLine) -> None:
    result = tidings("merchant", "cancel", "shop", "--batch", "b1", "--yes", "--json")

    assert (result.exit_code, json.loads(result.stdout)["cancelled"]) == (0, 10)


def test_requestIds_of_a_file_are_cancelled(tidings: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("\ufeffr5\n\nr6\r\nr5\nr0\nnobody\n", encoding="utf-8")
    dry = tidings.lines("merchant", "cancel", "shop", "--request-ids", file)
    assert dry[0] == "would cancel what was not sent of 4 requestIds of shop"

    result = tidings("merchant", "cancel", "shop", "--request-ids", file, "--yes")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "cancelled 2 messages",
        "  1 go on: a worker holds them; run this again for what comes back unsent",
        "  1 were never taken, or are forgotten",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"r1\nr@2\n", "--request-ids: line 2 is no requestId"),
        (b"\n", "--request-ids: holds no requestId"),
        (b"\xff\xff", "--request-ids: can't be read: it is not UTF-8"),
        (b"x" * 65, "--request-ids: line 1 is no requestId"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line(
    tidings: CommandLine, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "ids").write_bytes(content)

    assert tidings.refused("merchant", "cancel", "shop", "--request-ids", tmp_path / "ids").startswith(said)


def test_faulty_arguments_are_refused(tidings: CommandLine, tmp_path: Path) -> None:
    assert "--batch (1 to 64)" in tidings.refused("merchant", "pause", "shop", "--batch", "b#1")
    assert tidings.refused("merchant", "cancel", "shop", "--reason", " ").startswith("--reason: must have 1 to")
    both = tidings.refused("merchant", "cancel", "shop", "--batch", "b1", "--request-ids", tmp_path / "ids")
    assert both == "--batch, --request-ids: only one of them may be given"
    assert "can't be read" in tidings.refused("merchant", "cancel", "shop", "--request-ids", tmp_path / "none")


def noted(tidings: CommandLine, *arguments: str, **settings: str) -> list[str]:
    """Return the notes of a pause that was made."""
    result = tidings("merchant", "pause", *arguments, **settings)
    assert (result.exit_code, "is paused: " in result.stdout) == (0, True)
    return result.stderr.splitlines()


def test_a_pause_of_an_app_or_batch_that_nothing_is_known_of_is_made_and_noted(tidings: CommandLine) -> None:
    assert noted(tidings, "cofe") == [
        "note: no message, client, callback or setting has this appId; cofe is paused all the same"
    ]
    assert noted(tidings, "shop", "--batch", "b7") == [
        "note: no message and no batch job has this batchId; batch b7 of shop is paused all the same"
    ]
    assert [one["appId"] for one in json.loads(tidings("merchant", "show", "--json").stdout)["paused"]] == [
        *("cofe", "shop")
    ]


def test_a_pause_of_what_is_known_in_whatever_way_is_not_noted(tidings: CommandLine, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(public_pem("one"))
    tidings.lines("client", "add", "merchant-1", "--key", key, "--app-id", "clients-app")

    assert noted(tidings, "shop") == []
    assert noted(tidings, "shop", "--batch", "b1") == []
    assert noted(tidings, "clients-app") == []
    assert noted(tidings, "rated", app_rates='{"rated": 5}') == []
    assert noted(tidings, "listed", clients='{"m": ["listed"]}') == []


def test_a_merchant_all_of_whose_messages_are_final_is_known(tidings: CommandLine) -> None:
    async def end(services: Services) -> None:
        await services.ledger.open()
        async for _ in services.cancellations.cancel_all(Origin("shop", "b1"), "test"):
            pass

    tidings.on_services(end)

    assert noted(tidings, "shop", "--batch", "b1") == []


@pytest.mark.parametrize("length", [255, 256, 257])
def test_a_reason_has_at_most_256_characters(tidings: CommandLine, length: int) -> None:
    arguments = ("merchant", "cancel", "shop", "--reason", "w" * length)

    if length > 256:
        assert tidings.refused(*arguments) == "--reason: must have 1 to 256 characters"
    else:
        assert tidings.lines(*arguments)[0].startswith("would cancel")
