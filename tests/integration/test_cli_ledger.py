"""`tidings ledger check`."""

import json
import re
from typing import Any

import pytest

from tests.command_line import CommandLine
from tests.ledger_driver import final, learnt, new_message, new_messages
from worker.adapters.redis import recounting
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.bootstrap import Services
from worker.contract.callbacks import EVERY_OUTCOME
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.origins import BatchPart

MESSAGES = new_messages(40)
FIRST = MESSAGES[0].message_id


async def a_ledger(services: Services) -> None:
    await services.ledger.open()
    await services.ledger.accept("shop", Lane.BULK, MESSAGES)
    await services.ledger.accept("cafe", Lane.BULK, [new_message("tea", "cafe", channels=tuple(Channel))])
    for message in MESSAGES[-10:]:
        (claim,) = await services.ledger.claim(services.keys.shard(message.message_id), [message.message_id], "claim-1")
        await services.ledger.settle([final(claim, learnt(DeliveryState.S))])


async def lose_some(services: Services) -> None:
    """Take the homes of 30 messages, and count one more than there is."""
    for message in MESSAGES[:30]:
        await services.redis.zrem(services.keys.due(services.keys.shard(message.message_id)), message.message_id)
    await services.redis.hincrby(services.keys.counters(services.keys.shard(FIRST)), "shop#PUSH#accepted", 1)


@pytest.fixture
def tidings(redis_url: str) -> CommandLine:
    command = CommandLine(redis_url)
    command.on_services(a_ledger)
    return command


def checked(tidings: CommandLine, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tidings("ledger", "check", "--json", *arguments).stdout)
    return found


def test_a_sound_ledger_is_proved_with_code_0(tidings: CommandLine) -> None:
    heading, *rows, line, proof = tidings.lines("ledger", "check")

    assert heading.split() == ["App", "Channel", "accepted", "S", "F", "U", "open", "forgotten"]
    assert [row.split() for row in rows] == [
        ["cafe", "INBOX", "1", "0", "0", "0", "1", "0"],
        ["cafe", "PUSH", "1", "0", "0", "0", "1", "0"],
        ["shop", "PUSH", "40", "10", "0", "0", "30", "0"],
    ]
    assert line == "accepted 42 = S 10 + F 0 + U 0 + open 32 + forgotten 0"
    assert proof == "proved from 41 records: all is accounted for"


def test_an_empty_ledger_is_proved_too(redis_url: str) -> None:
    assert CommandLine(redis_url).lines("ledger", "check") == [
        "accepted 0 = S 0 + F 0 + U 0 + open 0 + forgotten 0",
        "proved from 0 records: all is accounted for",
    ]


def test_what_is_not_accounted_for_is_named_with_code_1(tidings: CommandLine) -> None:
    tidings.on_services(lose_some)

    result = tidings("ledger", "check", "--names", "3")

    assert result.exit_code == 1
    *_, line, counters, miscount, first, second, third, rest = result.stdout.splitlines()
    assert line == "accepted 43 != S 10 + F 0 + U 0 + open 32 + forgotten 0"
    assert counters.startswith("app shop, PUSH: the counters do not add up: accepted 41 != S 10")
    assert " counted as accepted, " in miscount
    for named in (first, second, third):
        assert named.startswith("requestId r")
        assert named.endswith(": open, but neither due nor scheduled nor in a backlog")
    assert rest == "and 27 more that differ; raise --names to see them"


def test_json_has_all_of_it(tidings: CommandLine) -> None:
    sound = checked(tidings)
    tidings.on_services(lose_some)
    harmed = checked(tidings, "--names", "2")

    assert (sound["clean"], sound["balanced"], sound["records"]) == (True, True, 41)
    assert sound["total"] == {"accepted": 42, "S": 10, "F": 0, "U": 0, "open": 32, "forgotten": 0}
    assert (sound["miscounts"], sound["misplaced"], sound["misplacedNumber"]) == ([], [], 0)
    assert (harmed["clean"], harmed["balanced"]) == (False, False)
    assert [tally["appId"] for tally in harmed["tallies"] if not tally["balanced"]] == ["shop"]
    (miscount,) = harmed["miscounts"]
    assert (miscount["status"], miscount["counted"] - miscount["found"]) == ("accepted", 1)
    assert (len(harmed["misplaced"]), harmed["misplacedNumber"]) == (2, 30)
    assert harmed["misplaced"][0]["fault"] == "HOMELESS"


def test_a_message_without_a_record_is_named_by_its_id(tidings: CommandLine) -> None:
    async def haunt(services: Services) -> None:
        await services.redis.zadd(services.keys.due(services.keys.shard("0" * 32)), {"0" * 32: 1})

    tidings.on_services(haunt)

    assert tidings("ledger", "check").stdout.splitlines()[-1] == (
        f"no requestId, messageId {'0' * 32}: due, scheduled, in a backlog or in another index, but without a record"
    )
    assert checked(tidings)["misplaced"][0]["requestId"] is None


def test_a_repair_says_what_it_mended_and_proves_the_rest(tidings: CommandLine) -> None:
    tidings.on_services(lose_some)

    first, second, rest, counter, *_, proof = tidings.lines("ledger", "check", "--repair", "--names", "2")

    for named in (first, second):
        assert named.startswith("mended: requestId r")
        assert named.endswith(": open, but neither due nor scheduled nor in a backlog: put back, it is due now")
    assert rest == "mended: and 28 more messages; raise --names to see them"
    assert re.fullmatch(r"mended: shard \d+, app shop, PUSH: accepted was (\d+), is (\d+) as the records say", counter)
    assert proof == "proved from 41 records: all is accounted for"
    assert checked(tidings)["clean"] is True


def test_a_repair_of_a_sound_ledger_says_so(tidings: CommandLine) -> None:
    assert tidings.lines("ledger", "check", "--repair")[0] == "nothing to mend"


def test_a_backlog_that_is_listed_again_is_told(tidings: CommandLine) -> None:
    async def unlist(services: Services) -> None:
        await RedisLedger(services.redis, services.keys, LedgerLimits(window_bulk=1)).accept(
            "cafe", Lane.BULK, new_messages(40, "cafe")
        )
        for shard in range(services.keys.shards):
            await services.redis.delete(services.keys.backlogs(shard, Lane.BULK))

    tidings.on_services(unlist)

    lines = tidings.lines("ledger", "check", "--repair")

    assert lines[0].endswith("app cafe, lane bulk: its backlog was in no index, it is released again")
    assert not any("requestId" in line for line in lines)


def test_json_of_a_repair_has_all_of_it(tidings: CommandLine) -> None:
    tidings.on_services(lose_some)

    found = checked(tidings, "--repair", "--names", "1")

    repaired = found["repaired"]
    assert found["clean"] is True
    assert (repaired["messagesNumber"], len(repaired["messages"]), repaired["backlogs"]) == (30, 1, [])
    assert repaired["messages"][0] | {"requestId": "", "messageId": ""} == {
        "requestId": "",
        "appId": "shop",
        "messageId": "",
        "fault": "HOMELESS",
        "mend": "PUT_BACK",
    }
    (counter,) = repaired["counters"]
    assert (counter["status"], counter["before"] - counter["after"]) == ("accepted", 1)
    assert "repaired" not in checked(tidings)


def test_what_a_repair_could_not_mend_is_named_with_code_1(
    tidings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidings.on_services(lose_some)
    monkeypatch.setattr(recounting, "_ROUNDS", 0)

    result = tidings("ledger", "check", "--repair")

    assert result.exit_code == 1
    assert " counted as accepted, " in result.stdout.splitlines()[-1]


async def lose_callback(services: Services) -> None:
    """Lose a callback and the place of a queue, and count a message of a batch twice."""
    told = new_messages(2, "bakery")
    await services.ledger.accept("bakery", Lane.BULK, told, EVERY_OUTCOME, BatchPart("june"))
    for message in told:
        shard = services.keys.shard(message.message_id)
        (claim,) = await services.ledger.claim(shard, [message.message_id], "claim-1")
        await services.ledger.settle([final(claim, learnt(DeliveryState.S))])
        await services.redis.delete(services.keys.outbox(shard))
    shard = services.keys.shard(told[0].message_id)
    await services.redis.hincrby(services.keys.batches(shard), "bakery#june#S", 1)
    await services.redis.zadd(services.keys.callbacks_of(shard, "bakery"), {f"{told[0].message_id}#1": 1})


def test_batches_and_callbacks_that_differ_are_named_and_mended(tidings: CommandLine) -> None:
    tidings.on_services(lose_callback)

    named = tidings("ledger", "check").stdout.splitlines()
    harmed = checked(tidings)
    repaired = tidings.lines("ledger", "check", "--repair")

    place = r"shard \d+, app bakery"
    for pattern in (
        rf"{place}, batch june: (\d+) counted as S, (\d+) records say so",
        rf"{place}: its queue of callbacks is in no index",
        r"callback 1 of app bakery, messageId \w+: to be told, but in no queue",
    ):
        assert len([line for line in named if re.fullmatch(pattern, line)]) == 1
    assert (len(harmed["batchMiscounts"]), harmed["callbacksNumber"], len(harmed["unlistedQueues"])) == (1, 1, 1)
    assert (harmed["callbacks"][0]["fault"], harmed["callbacks"][0]["finality"]) == ("UNTOLD", 1)
    for pattern in (
        rf"mended: {place}, batch june: S was (\d+), is (\d+) as the records say",
        rf"mended: {place}: its queue of callbacks was in no index, it is told of again",
        r"mended: callback 1 of app bakery, messageId \w+: to be told, .*: put into the outbox, it is told now",
    ):
        assert len([line for line in repaired if re.fullmatch(pattern, line)]) == 1
    assert checked(tidings)["clean"] is True


def test_json_of_a_repair_has_batches_and_callbacks(tidings: CommandLine) -> None:
    tidings.on_services(lose_callback)

    repaired = checked(tidings, "--repair")["repaired"]

    (counter,) = repaired["batchCounters"]
    assert (counter["batchId"], counter["status"], counter["before"] - counter["after"]) == ("june", "S", 1)
    assert (repaired["callbacksNumber"], repaired["callbacks"][0]["mend"]) == (1, "PUT_BACK")
    assert [queue["appId"] for queue in repaired["queues"]] == ["bakery"]
