"""Accepts sends through tidings: `python -m benchmarks.tidings_producer [--app APP] NUMBER`, in a process of its own.

Everything is accepted in batches by one process, as `tidings send` does. Prints a `benchmarks.producing.Produced`.
"""

import argparse
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvloop

from api_adapter.wiring import Front, front
from benchmarks.bodies import USERS, bodies, token
from benchmarks.producing import Produced
from worker.bootstrap import Services, stores
from worker.contract.messages import Lane
from worker.contract.templates import Content, TemplateDefinition
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.settings import read_settings

_CHUNK = 4_000


@asynccontextmanager
async def opened_front(gateway_url: str, *apps: str) -> AsyncIterator[Front]:
    """Give intake and look-ups of this process' settings, with everything put that sends of these merchants need."""
    settings = read_settings()
    with stores(settings) as addresses:
        async with front(settings, addresses) as opened:
            await opened.services.ledger.open()
            for app in apps:
                await put_samples(opened.services, gateway_url, app)
            yield opened


async def take(opened: Front, sends: Sequence[bytes], lane: Lane = Lane.BULK) -> None:
    """Accept sends in batches. Raises RuntimeError if one is refused."""
    for start in range(0, len(sends), _CHUNK):
        answers = await opened.intake.take({"client-id": "bench"}, sends[start : start + _CHUNK], lane)
        refused = [answer for answer in answers if answer.result.status != "S"]
        if refused:
            raise RuntimeError(refused[0])


async def accept(number: int, app: str, gateway_url: str) -> Produced:
    """Accept one merchant's batch."""
    async with opened_front(gateway_url, app) as opened:
        sends = bodies(number, app)
        started, cpu = time.perf_counter(), time.process_time()
        await take(opened, sends)
        seconds = time.perf_counter() - started
    return Produced(seconds, time.process_time() - cpu)


async def put_samples(services: Services, gateway_url: str, app: str) -> None:
    """Put a template, a wallet and the tokens of a merchant's users."""
    text = Content(title="Payment", body="Hello, ${who}, your payment of ${amount} has arrived")
    contents = {"en-US": {"PUSH": text, "INBOX": text}}
    definition = {"code": "TP_BENCH", "channels": ("PUSH", "INBOX"), "default_language": "en-US", "contents": contents}
    await services.templates.put(TemplateDefinition.model_validate(definition))
    await services.wallets.put(Wallet("BENCH", (GatewayRoute("simulator", gateway_url),)))
    grants = [
        (token(app, index), TokenGrant(User(f"customer-{index}", "BENCH"), app, frozenset({SEND_SCOPE}), None))
        for index in range(USERS)
    ]
    await services.users.put(grants)


def main() -> None:
    """Accept and print how long it took."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--app", default="bench-app")
    options.add_argument("number", type=int)
    given = options.parse_args()
    produced = uvloop.run(accept(given.number, given.app, os.environ["BENCH_GATEWAY_URL"]))
    print(json.dumps(produced._asdict()))


if __name__ == "__main__":
    main()
