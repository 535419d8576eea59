"""`tidings status`, on messages in every state there is."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.command_line import CommandLine
from tests.ledger_driver import dead, final, learnt, new_message, retry
from worker.bootstrap import Services
from worker.contract.messages import Channel, Claim, DeliveryState, Lane, Settlement

S, F, U, OPEN = DeliveryState.S, DeliveryState.F, DeliveryState.U, DeliveryState.OPEN
INBOX = Channel.INBOX
ESCAPE = "\x1b[2J"

ENDS: dict[str, Callable[[Claim], Settlement]] = {
    "delivered": lambda one: final(one, learnt(S), learnt(S, channel=INBOX)),
    "partial": lambda one: final(one, learnt(S), learnt(F, "BLOCKED", f"no{ESCAPE}", INBOX)),
    "failed": lambda one: dead(one, learnt(F, "TOO_MANY", "no"), learnt(F, "TOO_MANY", "no", INBOX), cause="TRIES"),
    "unanswered": lambda one: dead(one, learnt(U, "UNANSWERED"), learnt(S, channel=INBOX), cause="UNANSWERED"),
    "idle": lambda one: replace(retry(one, 60_000), updates=()),
    "waiting": lambda one: retry(one, 60_000, learnt(OPEN, "BUSY", "later"), learnt(S, channel=INBOX)),
}


async def one_of_each(services: Services) -> None:
    messages = {name: new_message(name, channels=tuple(Channel)) for name in (*ENDS, "queued")}
    opted_out = new_message("opted-out", channels=[INBOX], skipped=[Channel.PUSH])
    await services.ledger.open()
    await services.ledger.accept("shop", Lane.BULK, [*messages.values(), opted_out])
    for name, end in ENDS.items():
        id_ = messages[name].message_id
        (claim,) = await services.ledger.claim(services.keys.shard(id_), [id_], "claim-1")
        await services.ledger.settle([end(claim)])


@pytest.fixture
def tidings(redis_url: str) -> CommandLine:
    command = CommandLine(redis_url)
    command.on_services(one_of_each)
    return command


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["delivered"], 0),
        (["partial"], 1),
        (["failed"], 1),
        (["queued"], 3),
        (["waiting"], 3),
        (["unanswered"], 3),
        (["nobody"], 4),
        (["delivered", "failed"], 1),
        (["failed", "queued"], 3),
        (["nobody", "queued", "delivered"], 4),
    ],
)
def test_the_exit_code_is_the_highest_that_applies(tidings: CommandLine, names: list[str], code: int) -> None:
    assert tidings("status", *names, "--app-id", "shop").exit_code == code


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("delivered", "delivered S delivered"),
        ("partial", "partial F delivered in part"),
        ("failed", "failed F failed, dead letter: TRIES"),
        ("queued", "queued U open"),
        ("waiting", "waiting U open"),
        ("unanswered", "unanswered U unanswered, dead letter: UNANSWERED"),
        ("nobody", "nobody: never seen, or forgotten"),
    ],
)
def test_R73_the_headline_is_the_whole_outcome(tidings: CommandLine, name: str, headline: str) -> None:
    assert tidings("status", name, "--app-id", "shop").stdout.splitlines()[0] == headline


def test_R70_each_channel_and_each_attempt_has_a_line(tidings: CommandLine) -> None:
    shown = tidings("status", "waiting", "--app-id", "shop").stdout.splitlines()

    assert [line.split() for line in shown if line.startswith(("PUSH", "INBOX"))] == [
        ["PUSH", "U", "OPEN", "BUSY", "later", channel_time(shown, "PUSH")],
        ["INBOX", "S", channel_time(shown, "INBOX")],
    ]
    (attempt,) = (line for line in shown if line.startswith("1 "))
    assert attempt.endswith("PUSH retry (BUSY), INBOX delivered")
    assert " ms " in attempt
    assert "next try" in shown[2]
    assert shown[2].endswith("1 attempt")


@pytest.mark.parametrize(
    ("name", "until_when"),
    [("queued", "settled by "), ("waiting", "settled by "), ("unanswered", "U for good, unless it is replayed")],
)
def test_R73_each_U_says_until_when(tidings: CommandLine, name: str, until_when: str) -> None:
    assert until_when in tidings("status", name, "--app-id", "shop").stdout.splitlines()[2]


def test_an_outcome_that_is_known_says_nothing_of_a_deadline(tidings: CommandLine) -> None:
    moments = tidings("status", "delivered", "--app-id", "shop").stdout.splitlines()[2]

    assert "settled by" not in moments
    assert "for good" not in moments


def test_an_attempt_that_learnt_nothing_says_so(tidings: CommandLine) -> None:
    shown = tidings("status", "idle", "--app-id", "shop").stdout

    assert any(line.startswith("1 ") and line.endswith("nothing learnt") for line in shown.splitlines())


def channel_time(shown: list[str], channel: str) -> str:
    """Return the last column of a channel's line, which must be a time."""
    (line,) = (line for line in shown if line.startswith(channel))
    assert line.endswith("Z")
    return line.split()[-1]


def test_a_message_that_waits_for_its_first_attempt_says_so(tidings: CommandLine) -> None:
    shown = tidings("status", "queued", "--app-id", "shop").stdout

    assert "not attempted yet" in shown
    assert "Attempt " not in shown


def test_a_channel_that_the_user_opted_out_of_is_skipped(tidings: CommandLine) -> None:
    shown = tidings("status", "opted-out", "--app-id", "shop").stdout.splitlines()

    assert [line.split() for line in shown if line.startswith("PUSH")] == [
        ["PUSH", "SKIPPED", "the", "user", "opted", "out"],
    ]


def test_what_a_gateway_said_can_not_move_the_cursor(tidings: CommandLine) -> None:
    shown = tidings("status", "partial", "--app-id", "shop").stdout

    assert "no\N{REPLACEMENT CHARACTER}[2J" in shown
    assert "\x1b" not in shown


def test_a_message_id_needs_no_app_and_may_be_in_capitals(tidings: CommandLine) -> None:
    id_ = new_message("delivered").message_id

    for given in (id_, id_.upper()):
        assert tidings("status", given).stdout.startswith("delivered S delivered")
    assert tidings("status", id_, "--app-id", "shop").stdout.startswith("delivered S delivered")


def test_json_is_the_inquiry_of_each_in_the_order_asked(tidings: CommandLine) -> None:
    result = tidings("status", "nobody", "delivered", "--app-id", "shop", "--json")

    unknown, delivered = json.loads(result.stdout)
    assert unknown == {"requestId": "nobody", "status": "NEVER_SEEN"}
    assert (delivered["requestId"], delivered["status"], delivered["appId"]) == ("delivered", "S", "shop")
    assert [channel["status"] for channel in delivered["channels"]] == ["S", "S"]
    assert len(delivered["timeline"]) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["delivered"], "--app-id: is required for requestIds"),
        (["delivered", "--app-id", "sh#op"], "--app-id: must not contain"),
        (["deli vered", "--app-id", "shop"], "REQUEST_ID: must not contain"),
    ],
)
def test_what_can_not_be_looked_up_is_one_line_and_code_2(
    tidings: CommandLine,
    arguments: list[str],
    reason: str,
) -> None:
    assert tidings.refused("status", *arguments).startswith(reason)
