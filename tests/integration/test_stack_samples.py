"""The samples of `tidings dev`: there at the first start, never in the way of what the user did."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from api_adapter.stack.readiness import simulates
from api_adapter.stack.samples import APP_ID, USERS, WALLET, register, templates
from worker.adapters.gateways.simulator import Simulator
from worker.bootstrap import Addresses, Services, services
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.settings import Settings

BEFORE, NOW = "http://127.0.0.1:8090", "http://127.0.0.1:41000"
CHANGE = ["To see deliveries at this simulator:", f"  tidings wallet put SANDBOX --gateway simulator={NOW}"]
TOKENS = [sample.token for sample in USERS]


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "samples"


def run(redis_url: str, tmp_path: Path, *steps: Callable[[Services], Awaitable[None]]) -> None:
    """Take each step as a process of its own would: with nothing remembered."""

    async def step(one: Callable[[Services], Awaitable[None]]) -> None:
        settings = Settings.model_construct(data_dir=tmp_path)
        async with services(settings, Addresses(redis_url, redis_url)) as found:
            await one(found)

    for one in steps:
        asyncio.run(step(one))


async def nobody(_: str) -> bool:
    """Say that no simulator answers."""
    return False


def test_the_first_start_registers_templates_users_and_a_wallet(redis_url: str, tmp_path: Path, marker: Path) -> None:
    async def start(found: Services) -> None:
        await register(found, marker, BEFORE, nobody)

    async def look(found: Services) -> None:
        codes = [version.code for version in await found.templates.list()]
        assert codes == sorted(definition.code for definition in templates())
        assert await found.wallets.all() == {WALLET: Wallet(WALLET, (GatewayRoute("simulator", BEFORE),))}
        grants = await found.users.resolve(TOKENS)
        assert [grant and grant.user for grant in grants] == [sample.user for sample in USERS]

    run(redis_url, tmp_path, start, look)


def test_what_is_there_before_the_first_start_stays(redis_url: str, tmp_path: Path, marker: Path) -> None:
    [promotion] = [one for one in templates() if one.code == "PROMOTION"]
    mine = promotion.model_copy(update={"app_name": "Mine"})
    wallet = Wallet(WALLET, (GatewayRoute("real", "https://wallet.example.com"),))
    grant = TokenGrant(User("somebody", WALLET), APP_ID, frozenset({SEND_SCOPE}), None)

    async def prepare(found: Services) -> None:
        await found.templates.put(mine)
        await found.wallets.put(wallet)
        await found.users.put([(TOKENS[0], grant)])

    async def start(found: Services) -> None:
        await register(found, marker, BEFORE, nobody)

    async def look(found: Services) -> None:
        assert (await found.templates.live(["PROMOTION"]))["PROMOTION"].app_name == "Mine"
        assert (await found.wallets.all())[WALLET] == wallet
        assert (await found.users.resolve(TOKENS))[0] == grant
        assert None not in await found.users.resolve(TOKENS)

    run(redis_url, tmp_path, prepare, start, look)


def test_what_the_user_took_away_does_not_come_back(redis_url: str, tmp_path: Path, marker: Path) -> None:
    async def start(found: Services) -> None:
        await register(found, marker, BEFORE, nobody)

    async def revoke(found: Services) -> None:
        await found.users.revoke([found.users.token_id(TOKENS[0])])

    async def look(found: Services) -> None:
        assert (await found.users.resolve(TOKENS))[0] is None

    run(redis_url, tmp_path, start, revoke, start, look)


def test_gateways_follow_the_simulator_and_others_stay(redis_url: str, tmp_path: Path, marker: Path) -> None:
    kept = GatewayRoute("kept", "https://wallet.example.com")

    async def first(found: Services) -> None:
        await register(found, marker, BEFORE, nobody)

    async def change(found: Services) -> None:
        await found.wallets.put(Wallet("GCASH", (kept, GatewayRoute("mine", BEFORE))))
        await found.wallets.put(Wallet("DANA", (kept,)))

    async def second(found: Services) -> None:
        told = await register(found, marker, NOW, nobody)
        assert told == [f"Wallet {name} is at {NOW} now: nobody answered at {BEFORE}." for name in ("GCASH", WALLET)]
        assert await register(found, marker, NOW, nobody) == []

    async def look(found: Services) -> None:
        assert await found.wallets.all() == {
            WALLET: Wallet(WALLET, (GatewayRoute("simulator", NOW),)),
            "GCASH": Wallet("GCASH", (kept, GatewayRoute("mine", NOW))),
            "DANA": Wallet("DANA", (kept,)),
        }

    run(redis_url, tmp_path, first, change, second, look)


def test_a_wallet_that_the_user_pointed_elsewhere_does_not_follow(redis_url: str, tmp_path: Path, marker: Path) -> None:
    elsewhere = Wallet(WALLET, (GatewayRoute("simulator", "https://wallet.example.com"),))

    async def first(found: Services) -> None:
        await register(found, marker, BEFORE, nobody)

    async def change(found: Services) -> None:
        await found.wallets.put(elsewhere)

    async def second(found: Services) -> None:
        assert await register(found, marker, NOW, nobody) == [
            f"Wallet {WALLET} is at https://wallet.example.com, and stays there.",
            *CHANGE,
        ]

    async def look(found: Services) -> None:
        assert (await found.wallets.all())[WALLET] == elsewhere

    run(redis_url, tmp_path, first, change, second, look)


def test_wallets_stay_with_a_simulator_that_runs_already_and_follow_once_it_is_gone(
    redis_url: str, tmp_path: Path, marker: Path
) -> None:
    """Nothing is changed, so a stack that is killed leaves nothing to put back."""

    async def beside(found: Services) -> None:
        simulator = Simulator()
        there = f"http://127.0.0.1:{await simulator.start()}"
        assert await register(found, marker, there, simulates) == []

        told = await register(found, marker, NOW, simulates)

        assert told == [f"A gateway simulator runs at {there} already, and wallets stay there.", *CHANGE]
        assert (await found.wallets.all())[WALLET].gateways == (GatewayRoute("simulator", there),)
        await simulator.stop()
        assert await register(found, marker, NOW, simulates) == [
            f"Wallet {WALLET} is at {NOW} now: nobody answered at {there}."
        ]
        assert (await found.wallets.all())[WALLET].gateways == (GatewayRoute("simulator", NOW),)

    run(redis_url, tmp_path, beside)
