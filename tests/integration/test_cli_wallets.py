"""`tidings wallet`."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.command_line import CommandLine, write_sends
from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.adapters.redis.turns import RedisTurns

CLOSED = {"state": "closed"}


@pytest.fixture
def tidings(redis_url: str) -> CommandLine:
    return CommandLine(redis_url)


def test_put_stores_gateways_in_their_order_and_the_cap(tidings: CommandLine) -> None:
    push, rest = "fast=https://push.wallet.test;channels=PUSH", "https://wallet.test/api/;inquiry;rate=250/s"

    said = tidings.lines("wallet", "put", "GCASH", "--gateway", push, "--gateway", rest, "--cap", "5/24h")

    assert said == ["GCASH: fast (PUSH), gcash-2 (INBOX PUSH) 250/s; 5 in 1d"]
    assert json.loads("\n".join(tidings.lines("wallet", "list", "--json"))) == [
        {
            "name": "GCASH",
            "gateways": [
                {
                    "name": "fast",
                    "url": "https://push.wallet.test",
                    "channels": ["PUSH"],
                    "inquiry": False,
                    "rate": None,
                    "turnsTakenForMs": None,
                    "breaker": CLOSED,
                },
                {
                    "name": "gcash-2",
                    "url": "https://wallet.test/api",
                    "channels": ["INBOX", "PUSH"],
                    "inquiry": True,
                    "rate": 250,
                    "turnsTakenForMs": 0,
                    "breaker": CLOSED,
                },
            ],
            "cap": {"messages": 5, "periodMs": 86_400_000},
        },
    ]


def test_list_has_a_row_a_gateway_and_the_wallets_by_name(tidings: CommandLine) -> None:
    tidings.lines("wallet", "put", "TNG", "--gateway", "http://tng.test;rate=9/s")
    tidings.lines("wallet", "put", "DANA", "--gateway", "http://dana.test", "--cap", "1/90s")

    heading, *rows = tidings.lines("wallet", "list")

    assert heading.split() == ["Wallet", "Gateway", "URL", "Channels", "Inquiry", "Rate", "Breaker", "Cap"]
    assert [row.split() for row in rows] == [
        ["DANA", "dana", "http://dana.test", "INBOX", "PUSH", "no", "closed", "1", "in", "90s"],
        ["TNG", "tng", "http://tng.test", "INBOX", "PUSH", "no", "9/s", "closed"],
    ]


def test_R69_list_says_for_how_long_the_turns_of_a_rate_are_taken(tidings: CommandLine, redis_url: str) -> None:
    tidings.lines("wallet", "put", "TNG", "--gateway", "http://tng.test;rate=1/s")

    async def take() -> None:
        async with Redis.from_url(redis_url) as redis:
            await RedisTurns(redis).reserve("tng", 1, 60, 0)

    asyncio.run(take())

    _, row = tidings.lines("wallet", "list")
    (wallet,) = json.loads("\n".join(tidings.lines("wallet", "list", "--json")))
    assert re.search(r" 1/s, taken for (1 min 0|5\d\.?\d*|60) s ", row)
    assert 0 < wallet["gateways"][0]["turnsTakenForMs"] <= 60_000


def test_a_gateway_that_another_wallet_names_with_another_rate_is_noted(tidings: CommandLine) -> None:
    tidings.lines("wallet", "put", "GCASH", "--gateway", "shared=http://gcash.test")

    done = tidings("wallet", "put", "TNG", "--gateway", "shared=http://gcash.test;rate=9/s")

    assert done.stderr == "note: gateway shared has no rate at GCASH; put that wallet too\n"


def test_R69_list_says_which_breakers_are_open_for_how_long_and_why(tidings: CommandLine, redis_url: str) -> None:
    tidings.lines("wallet", "put", "TNG", "--gateway", "http://tng.test")

    async def fail() -> None:
        async with Redis.from_url(redis_url) as redis:
            await RedisBreakers(redis, BreakerTimes()).open("tng", "HTTP_503", 60_000)

    asyncio.run(fail())

    _, row = tidings.lines("wallet", "list")
    (wallet,) = json.loads("\n".join(tidings.lines("wallet", "list", "--json")))
    breaker = wallet["gateways"][0]["breaker"]
    assert re.search(r" open for (1 min 0|59\.?\d*|60) s \(HTTP_503, since 20\S+Z\)", row)
    assert (breaker["state"], breaker["reason"], breaker["times"]) == ("open", "HTTP_503", 0)
    assert 0 < breaker["openForMs"] <= 60_000


def test_a_wallet_put_again_is_replaced_whole(tidings: CommandLine) -> None:
    tidings.lines("wallet", "put", "TNG", "--gateway", "http://tng.test", "--cap", "1/1d")
    tidings.lines("wallet", "put", "TNG", "--gateway", "http://new.test")

    (wallet,) = json.loads("\n".join(tidings.lines("wallet", "list", "--json")))
    assert (wallet["gateways"][0]["url"], wallet["cap"]) == ("http://new.test", None)


def test_a_channel_that_nobody_serves_is_noted(tidings: CommandLine) -> None:
    result = tidings("wallet", "put", "TNG", "--gateway", "http://tng.test;channels=INBOX")

    assert (result.exit_code, result.stderr) == (0, "note: no gateway serves PUSH: sends to it are refused\n")


def test_where_there_is_none_it_says_how_to_put_one(tidings: CommandLine) -> None:
    assert tidings.lines("wallet", "list") == ["no wallets yet: see tidings wallet put --help"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["A B", "--gateway", "http://tng.test"], "NAME: must be at most 64 characters"),
        (["TNG", "--gateway", "http://tng.test", "--gateway", "tng.test"], "--gateway, number 2: must be [NAME=]URL"),
        (["TNG", "--gateway", "a=http://x", "--gateway", "a=http://y"], "--gateway, number 2: needs a name of its own"),
        (["TNG", "--gateway", "http://tng.test", "--cap", "many"], "--cap: must be a number of messages and a period"),
        (["TNG", "--gateway", "gcash=http://tng.test"], "--gateway gcash: names another URL at GCASH"),
    ],
)
def test_a_wallet_that_can_not_be_is_one_line_and_code_2(
    tidings: CommandLine,
    arguments: list[str],
    reason: str,
) -> None:
    tidings.lines("wallet", "put", "GCASH", "--gateway", "http://gcash.test")

    assert tidings.refused("wallet", "put", *arguments).startswith(reason)
    assert len(tidings.lines("wallet", "list")) == 2


def test_two_wallets_may_share_a_gateway(tidings: CommandLine) -> None:
    for wallet in ("GCASH", "TNG"):
        tidings.lines("wallet", "put", wallet, "--gateway", "shared=http://wallet.test")

    assert len(tidings.lines("wallet", "list")) == 3


OPEN_BECOMES_DEAD = "what is open for them becomes a dead letter (UNDELIVERABLE), to be replayed once it is put again"


def test_without_yes_a_wallet_stays_and_what_depends_on_it_is_said(tidings: CommandLine, tmp_path: Path) -> None:
    tidings.open_shop(tmp_path)
    tidings.lines("wallet", "put", "TNG", "--gateway", "gcash=http://wallet.test")

    assert tidings.lines("wallet", "remove", "GCASH") == [
        "would remove GCASH",
        "  sends to its users are refused with PROCESS_FAIL; 1 stored token names it",
        f"  {OPEN_BECOMES_DEAD}: 0 messages of all wallets are open",
        "  other wallets go on with its gateway gcash",
        "nothing was changed; add --yes to remove it",
    ]
    assert {one["name"] for one in json.loads(tidings("wallet", "list", "--json").stdout)} == {"GCASH", "TNG"}


def test_a_wallet_is_removed_once_and_sends_to_its_users_are_refused(tidings: CommandLine, tmp_path: Path) -> None:
    tidings.open_shop(tmp_path)
    sends = write_sends(tmp_path / "sends.jsonl", {})

    assert tidings.lines("wallet", "remove", "GCASH", "--yes")[0] == "GCASH is removed"
    assert tidings.lines("wallet", "list") == ["no wallets yet: see tidings wallet put --help"]
    assert tidings.refused("wallet", "remove", "GCASH", "--yes") == (
        "NAME: there is no such wallet; see tidings wallet list"
    )
    assert "PROCESS_FAIL" in tidings("send", sends).stdout


def test_where_tokens_are_not_stored_none_are_counted(tidings: CommandLine) -> None:
    tidings.lines("wallet", "put", "GCASH", "--gateway", "http://wallet.test")

    said = tidings("wallet", "remove", "GCASH", "--json", token_secret="")

    assert json.loads(said.stdout)["consequences"][0] == "sends to its users are refused with PROCESS_FAIL"
