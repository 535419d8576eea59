"""`tidings callback` as people use it."""

import json
import re
from pathlib import Path

import pytest
from pyreqwest.client import SyncClientBuilder
from standardwebhooks import Webhook
from typer.testing import Result

from tests.command_line import CommandLine
from tests.ledger_driver import final, ids, new_messages
from tests.receivers import answer, receiver_beside
from tests.stacks import tidings
from worker.adapters.redis.batch_progress import RedisBatchProgress
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.registry_keys import REGISTRATIONS_KEY
from worker.batch_ports import Noted
from worker.bootstrap import Services
from worker.callbacks.events import signed_headers
from worker.contract.batch_jobs import CANCEL
from worker.contract.callbacks import EVERY_OUTCOME, CallbackSettlement, CallbackVerdict
from worker.contract.messages import Lane
from worker.contract.origins import BatchTally, Origin

LOOPBACK = "127.0.0.0/8"
URL = "https://shop.example/tidings"


@pytest.fixture
def command(redis_url: str) -> CommandLine:
    return CommandLine(redis_url)


def secret_in(result: Result) -> str:
    found = re.search(r"^secret: (whsec_\S+)$", result.stdout, re.MULTILINE)
    assert found, result.output
    return found[1]


def test_put_shows_the_secret_once_and_the_stores_keep_it_sealed(command: CommandLine) -> None:
    first = command("callback", "put", "shop", "--url", URL)
    again = command("callback", "put", "shop", "--url", URL + "2", "--outcomes", "FU")

    secret = secret_in(first)
    assert first.stdout.splitlines()[0] == f"shop: SUF to {URL}, enabled"
    assert again.stdout == f"shop: UF to {URL}2, enabled\n"

    async def story(services: Services) -> str:
        stored = await services.redis.hgetall(REGISTRATIONS_KEY)
        (registration,) = (await services.callbacks.all()).values()
        (sealed,) = registration.secrets
        assert services.vault.open("shop", sealed.sealed) == secret
        return str(stored)

    assert secret.removeprefix("whsec_") not in command.on_services(story)


def test_remove_says_what_becomes_of_what_waits_and_forgets_with_yes(command: CommandLine) -> None:
    older = secret_in(command("callback", "put", "shop", "--url", URL))

    async def make_final(services: Services) -> None:
        await services.ledger.open()
        messages = new_messages(3)
        await services.ledger.accept("shop", Lane.BULK, messages, EVERY_OUTCOME)
        for shard in range(services.keys.shards):
            claims = await services.ledger.claim(shard, ids(messages), f"claim-{shard}")
            await services.ledger.settle([final(claim) for claim in claims])
        await services.callback_outbox.due()

    command.on_services(make_final)

    asked = command.lines("callback", "remove", "shop")
    told = json.loads(command("callback", "remove", "shop", "--json").stdout)

    assert asked[0] == "would remove shop"
    assert asked[3].startswith("  3 callbacks wait: ")
    assert asked[3].endswith(" in a minute")
    assert asked[-1] == "nothing was changed; add --yes to remove it"
    assert told["dryRun"] is True
    assert [f"  {one}" for one in told["consequences"]] == asked[1:-1]
    assert "shop" in command.lines("callback", "list")[1]
    assert command.lines("callback", "remove", "shop", "--yes")[0] == "shop is removed"
    assert command.lines("callback", "list") == ["no callbacks yet: see tidings callback put --help"]
    assert command.refused("callback", "remove", "shop") == "APPID: has no callback; see tidings callback list"
    assert secret_in(command("callback", "put", "shop", "--url", URL)) != older


def test_rotate_shows_a_newer_secret_and_both_sign_for_the_overlap(command: CommandLine) -> None:
    older = secret_in(command("callback", "put", "shop", "--url", URL))
    newer = secret_in(command("callback", "rotate", "shop"))

    async def secrets(services: Services) -> list[str]:
        registration = (await services.callbacks.all())["shop"]
        valid = registration.valid_secrets(services.clock.now())
        return [services.vault.open("shop", secret.sealed) for secret in valid]

    assert command.on_services(secrets) == [older, newer]
    newest = secret_in(command("callback", "rotate", "shop", "--old-secrets-end-in", "0s"))
    assert command.on_services(secrets) == [newest]


def test_list_shows_everything_but_secrets(command: CommandLine) -> None:
    secret = secret_in(command("callback", "put", "shop", "--url", URL))
    command.lines("callback", "put", "cafe", "--url", URL)
    command.lines("callback", "disable", "cafe")

    (listed, *_) = [command("callback", "list"), command("callback", "list", "--json")]
    cafe, shop = json.loads(command("callback", "list", "--json").stdout)

    assert "whsec" not in listed.output
    assert secret not in command("callback", "list", "--json").output
    assert (shop["appId"], shop["url"], shop["outcomes"], shop["disabledAt"]) == ("shop", URL, "SUF", None)
    assert (cafe["disabledBecause"], len(cafe["secrets"])) == ("by hand", 1)


def test_disable_and_enable_are_what_they_say(command: CommandLine) -> None:
    command.lines("callback", "put", "shop", "--url", URL)

    assert re.fullmatch(r"shop: .*, disabled 2\S+Z: by hand", command.lines("callback", "disable", "shop")[0])
    assert command.lines("callback", "enable", "shop") == [f"shop: SUF to {URL}, enabled"]
    command.lines("callback", "disable", "shop")
    again = command("callback", "put", "shop", "--url", URL)
    assert again.stdout.splitlines() == [f"shop: SUF to {URL}, enabled"]
    assert "its secrets stay" in again.stderr


@pytest.mark.parametrize("verb", ["rotate", "disable", "enable", "test"])
def test_who_has_no_callback_is_told_how_to_put_one(command: CommandLine, verb: str) -> None:
    assert command.refused("callback", verb, "shop") == "APPID: has no callback; see tidings callback put --help"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["shop", "--url", "http://shop.example"], "--url: must be https"),
        (["shop", "--url", "shop.example"], "--url: must be https://HOST"),
        (["shop", "--url", "https://127.0.0.1/"], "--url: leads to an address that is not public"),
        (["shop", "--url", "https://169.254.169.254/"], "--url: leads to an address that is not public"),
        (["shop", "--url", "https://2130706433/"], "--url: must name its host"),
        (["shop", "--url", URL, "--outcomes", ""], "--outcomes: must be some of S, F and U"),
        (["shop", "--url", URL, "--outcomes", "FF"], "--outcomes: must be some of S, F and U"),
        (["shop", "--url", URL, "--outcomes", "X"], "--outcomes: must be some of S, F and U"),
        (["sh#op", "--url", URL], "APPID: must be 1 to 32 characters"),
        (["s" * 33, "--url", URL], "APPID: must be 1 to 32 characters"),
    ],
)
def test_what_can_not_be_a_callback_is_refused(command: CommandLine, arguments: list[str], what: str) -> None:
    assert command.refused("callback", "put", *arguments).startswith(what)


def test_networks_of_ones_own_are_allowed_where_the_settings_name_them(command: CommandLine) -> None:
    allowed = command("callback", "put", "shop", "--url", "http://127.0.0.1:9000/", callback_networks=LOOPBACK)

    assert allowed.exit_code == 0, allowed.output


def test_test_sends_a_signed_callback_and_says_what_came_of_it(command: CommandLine) -> None:
    with receiver_beside() as shop:
        url = f"http://127.0.0.1:{shop.port}/"
        secret = secret_in(command("callback", "put", "shop", "--url", url, callback_networks=LOOPBACK))
        shop.answers.append(answer(204))

        taken = command("callback", "test", "shop", callback_networks=LOOPBACK)
        shop.answers.append(answer(500))
        failed = command("callback", "test", "shop", callback_networks=LOOPBACK)

        assert (taken.exit_code, taken.stdout) == (0, "shop: HTTP 204\n")
        assert (failed.exit_code, failed.stdout) == (1, "shop: HTTP 500\n")
        assert "docs/runbooks/dead-callbacks.md" in failed.stderr
        event = Webhook(secret).verify(shop.received[0].body, shop.received[0].headers)
        assert (event["type"], event["data"]) == ("callback.test", {"appId": "shop"})
    assert command("callback", "test", "shop").stdout == "shop: ADDRESS_FORBIDDEN\n"


def give_up(command: CommandLine, app_id: str, number: int) -> list[str]:
    """Have callbacks of messages given up; return the messageIds."""
    messages = new_messages(number, app_id)

    async def story(services: Services) -> None:
        await services.ledger.accept(app_id, Lane.BULK, messages, EVERY_OUTCOME)
        outbox = RedisCallbackOutbox(services.redis, services.keys)
        for shard in range(services.keys.shards):
            claims = await services.ledger.claim(shard, ids(messages), f"claim{shard}")
            await services.ledger.settle([final(claim) for claim in claims])
        due = await outbox.claim(dict.fromkeys(await outbox.due(), 10), 1_000)
        await outbox.settle([CallbackSettlement(one, CallbackVerdict.DEAD, 0, 3, "HTTP 500") for one in due])

    command.on_services(story)
    return ids(messages)


def test_dead_callbacks_are_listed_and_shown(command: CommandLine) -> None:
    assert command.lines("callback", "dead", "ls") == ["no dead callbacks"]
    first, _ = give_up(command, "shop", 2)
    give_up(command, "cafe", 1)

    listed = json.loads(command("callback", "dead", "ls", "--json").stdout)
    shown = json.loads(command("callback", "dead", "show", first, "--json").stdout)

    assert len(listed) == 3
    assert len(command.lines("callback", "dead", "ls", "--app-id", "shop")) == 3
    assert len(command.lines("callback", "dead", "ls", "--limit", "1")) == 2
    del shown[0]["diedAt"]
    whole = {"appId": "shop", "requestId": "r0", "messageId": first, "finality": 1, "status": "S", "tries": 3}
    assert shown == [{**whole, "lastAnswer": "HTTP 500"}]


def give_up_a_batch(command: CommandLine) -> None:
    """Have the callback given up that tells of a batch with nothing in it."""
    batch = Origin("shop", "june")

    async def story(services: Services) -> None:
        outbox, progress = (
            RedisCallbackOutbox(services.redis, services.keys),
            RedisBatchProgress(services.redis, services.keys),
        )
        await services.batch_jobs.create(batch, b"{}", 1_000)
        await services.batch_jobs.move(batch, CANCEL, 0, 1_000)
        await progress.note([Noted(one, 100, 1_000, BatchTally()) for one in await progress.due(1)])
        due = await outbox.claim(dict.fromkeys(await outbox.due(), 10), 1_000)
        await outbox.settle([CallbackSettlement(one, CallbackVerdict.DEAD, 0, 3, "HTTP 500") for one in due])

    command.on_services(story)


def test_a_dead_callback_of_a_batch_is_named_by_its_batchid(command: CommandLine) -> None:
    give_up_a_batch(command)

    (shown,) = json.loads(command("callback", "dead", "show", "june", "--json").stdout)
    (row,) = command.lines("callback", "dead", "ls", "--app-id", "shop")[1:]

    del shown["diedAt"]
    assert shown == {"appId": "shop", "batchId": "june", "percentage": 100, "tries": 3, "lastAnswer": "HTTP 500"}
    assert "100 %" in row
    assert row.rstrip().endswith("june")
    assert command.lines("callback", "dead", "replay", "june", "--yes") == ["replayed 1 callback"]
    assert command.lines("callback", "dead", "ls") == ["no dead callbacks"]


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_dead_callbacks_are_let_go_only_with_yes(command: CommandLine, verb: str) -> None:
    give_up(command, "cafe", 1)
    first, second, third = give_up(command, "shop", 3)

    rehearsed = command.lines("callback", "dead", verb, "--app-id", "shop")
    assert rehearsed == [f"would {verb} 3 callbacks", f"nothing was changed; add --yes to {verb}"]
    assert command.lines("callback", "dead", verb, first, "--yes") == [f"{verb}ed 1 callback"]
    again = command("callback", "dead", verb, first, second, "--yes")
    assert (again.exit_code, again.stdout.splitlines()) == (1, [f"{verb}ed 1 callback", f"  no dead callback: {first}"])
    assert command.lines("callback", "dead", verb, "--app-id", "shop", "--yes") == [f"{verb}ed 1 callback"]
    assert command.lines("callback", "dead", verb, "--all", "--yes") == [f"{verb}ed 1 callback"]
    assert command("callback", "dead", "show", third).stdout == "no dead callbacks\n"


@pytest.mark.parametrize("given", [[], ["x", "--all"], ["--all", "--app-id", "shop"]])
def test_what_is_let_go_is_named_in_one_way(command: CommandLine, given: list[str]) -> None:
    assert command.refused("callback", "dead", "replay", *given) == "give IDs, or --app-id, or --all"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_receive_prints_what_it_verified_and_refuses_the_rest(tmp_path: Path, command: CommandLine, host: str) -> None:
    secret = secret_in(command("callback", "put", "shop", "--url", URL))
    file = tmp_path / "secret"
    file.write_text(secret + "\n", encoding="utf-8")
    with tidings(
        tmp_path, "callback", "receive", "--secret-file", str(file), "--host", host, "--port", "0"
    ) as receiving:
        receiving.until_printed("listening on")
        found = re.search(r"http://\S+", receiving.stderr)
        assert found
        now = command.on_services(_now)
        body = b'{"type":"callback.test"}'
        with SyncClientBuilder().no_proxy().build() as client:
            good = client.post(found[0]).headers(signed_headers("msg_1", body, [secret], now)).body_bytes(body)
            assert good.build().send().status == 204
            for headers in ({}, signed_headers("msg_1", body, ["whsec_" + "A" * 44], now)):
                assert client.post(found[0]).headers(headers).body_bytes(body).build().send().status == 401
            assert client.post(found[0]).body_bytes(b"x" * 65_537).build().send().status == 413
        assert receiving.stdout.splitlines() == [body.decode()]


async def _now(services: Services) -> int:
    return services.clock.now()


@pytest.mark.parametrize("text", ["", "no secret", "whsec_AAAA"])
def test_receive_says_what_a_secret_is(tmp_path: Path, command: CommandLine, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")

    assert command.refused("callback", "receive", "--secret-file", file).startswith("--secret-file: must be whsec_")
    assert command.refused("callback", "receive", "--secret-file", tmp_path / "none").startswith("--secret-file: can't")
