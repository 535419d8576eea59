"""A whole installation in the hands of a test: Redis, a gateway, two workers, and a front that takes sends."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from importlib import resources
from itertools import count
from random import Random
from typing import Any, TypeVar

import orjson
from redis import Redis as Server

from api_adapter.taking import SendResult
from tests.crashes.network import CURSED, UNACCEPTABLE, CallFate, Network
from tests.crashes.processes import Front, Process, Surroundings, Worker
from tests.crashes.virtual_loop import VirtualLoop
from tests.crashes.wire import Fate, VirtualTimeServer, WiredRedis, answered
from tests.crashes.witness import Witness
from tests.fakes.callbacks import OK, FakePoster
from tests.fakes.clock import FakeClock
from tests.ledger_state import LedgerState, state_of_redis
from worker.adapters.redis.callbacks import pack
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.registry_keys import REGISTRATIONS_KEY
from worker.bootstrap import services_on
from worker.callbacks.ports import Reply
from worker.callbacks.secrets import new_secret
from worker.contract.callbacks import EVERY_OUTCOME, CallbackRegistration, SealedSecret
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, Hint, Lane
from worker.contract.templates import Content, TemplateDefinition
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.settings import Settings

Result = TypeVar("Result")

SECOND = 1_000
SETTINGS = Settings.model_validate(
    {
        "token_secret": "a secret of this test alone",
        "shards": 2,
        "lease": 6 * SECOND,
        "grace": 3 * SECOND,
        "longest_grace": 10 * SECOND,
        "sweep_interval": SECOND,
        "sweep_size": 8,
        "window_single": 2,
        "window_bulk": 3,
        "retention": 30 * SECOND,
        "deliver_within": 60 * SECOND,
        "max_tries": 4,
        "backoff_base": 500,
        "backoff_cap": 4 * SECOND,
        "call_timeout": 10 * SECOND,
        "call_size": 4,
        "calls_per_gateway": 1,
        "waiting_per_gateway": 20,
        "slots": 30,
        "callback_timeout": 2 * SECOND,
        "callback_backoff_base": 500,
        "callback_backoff_cap": 2 * SECOND,
        "redis_url": "redis://the.test",
    },
)
APPS = ("shop", "shop1")
_CALLBACK = "https://shop.test/"
"""Where the first merchant is called back."""
REQUESTS = 10
"""Sends that each merchant makes, some of them again and again."""
_WALLETS = {
    "shop": Wallet("TNG", (GatewayRoute("tng", "http://tng.test"),)),
    "shop1": Wallet(
        "GCASH",
        (GatewayRoute("gcash", "http://gcash.test", inquiry=True), GatewayRoute("spare", "http://spare.test")),
    ),
}
"""Of each merchant's users. A customer who gets a message of both gateways of one wallet gets it twice."""
_TEMPLATES = (("BOTH", tuple(Channel)), ("PUSH", (Channel.PUSH,)), ("INBOX", (Channel.INBOX,)))
_KINDS = {4: UNACCEPTABLE, 8: f"{CURSED}2-", 9: f"{CURSED}9-"}
"""How customers' ids begin, by the number of the request: the digit is how many sends kill their worker."""


class World:
    """Time, stores and processes. Nothing moves but by its methods."""

    def __init__(self, redis_url: str) -> None:
        """Open with an empty ledger, a wallet, templates and users; nobody has sent anything."""
        self.clock = FakeClock()
        self.keys = Keys(SETTINGS.shards)
        self._server = Server.from_url(redis_url)
        self._server.flushdb()
        for script in resources.files("worker.adapters.redis").joinpath("lua").iterdir():
            self._server.script_load(script.read_text(encoding="utf-8"))
        self._redis = VirtualTimeServer(self._server, self.clock)
        self.witness = Witness(self._server, self._redis, self.keys, self.clock)
        self.network = Network()
        self.hints: list[Hint] = []
        self.poster = FakePoster()
        self.poster.replies[_CALLBACK] = [Reply(None, "TIMEOUT"), OK, OK] * 100
        """The merchant does not take a third of the calls."""
        self.promised: set[str] = set()
        """Messages that a merchant was told are taken."""
        self._around = Surroundings(SETTINGS, self.clock, self.witness, self.network, self.hints, self.poster)
        self._runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(self.clock))
        self._onlooker = WiredRedis(self._redis)
        self._names = count(1)
        self._run(self._furnish())
        self.front = Front("f0", self._around)
        self.workers = [self._worker(), self._worker()]

    async def _furnish(self) -> None:
        found = services_on(self._onlooker, SETTINGS, self.clock)
        await found.ledger.open()
        text = Content(title="Paid", body="Hello")
        for code, channels in _TEMPLATES:
            contents = {"en": dict.fromkeys(channels, text)}
            definition = {"code": code, "channels": channels, "default_language": "en", "contents": contents}
            await found.templates.put(TemplateDefinition.model_validate(definition))
        secret = SealedSecret(found.vault.seal(APPS[0], new_secret()))
        registration = CallbackRegistration(APPS[0], _CALLBACK, EVERY_OUTCOME, (secret,))
        self._server.hset(REGISTRATIONS_KEY, APPS[0], pack(registration))
        for wallet in _WALLETS.values():
            await found.wallets.put(wallet)
        customers = [(app, index) for app in APPS for index in range(REQUESTS)]
        await found.users.put([(f"token-{app}-{index}", _grant(app, index)) for app, index in customers])

    def _worker(self) -> Worker:
        return Worker(f"w{next(self._names)}", self._around)

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            process.die()
        self._runner.close()
        self._server.close()

    @property
    def processes(self) -> list[Process]:
        """Who may ask Redis anything."""
        return [*self.workers, self.front]

    def state(self) -> LedgerState:
        """Return everything that can be observed of the ledger."""
        return self._run(state_of_redis(self._onlooker, self.keys))

    @property
    def callbacks_left(self) -> int:
        """How many callbacks are neither made nor dropped."""
        keys = [key for kind in ("outbox", "callbacks:*") for key in self._server.keys(f"tidings:{{*}}:{kind}")]
        return sum(self._server.zcard(key) for key in keys)

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(coroutine)

    def send(self, app: str, lane: Lane, requests: Sequence[int]) -> None:
        """Have a merchant send, perhaps for the second time."""
        self.front.take([_body(app, request) for request in requests], lane, self._promise)

    def fail_over(self, milliseconds: int) -> None:
        """Have all workers find the breaker of the first of two gateways open."""
        self._run(services_on(self._onlooker, SETTINGS, self.clock).breakers.open("gcash", "TEST", milliseconds))
        for worker in self.workers:
            worker.open_breaker("gcash", milliseconds)

    def _promise(self, results: Sequence[SendResult]) -> None:
        taken = [result.message_id for result in results if result.result.status is ResultStatus.S]
        self.promised |= {message_id for message_id in taken if message_id is not None}
        refused = {result.result.code for result in results if result.result.status is ResultStatus.F}
        if refused:
            self.witness.faults.append(f"intake refuses with {refused}")

    def crash(self, process: Process) -> None:
        """Kill a process; its supervisor starts another one."""
        process.die()
        if process is self.front:
            self.front = Front("f0", self._around)
        else:
            self.workers = [self._worker() if worker is process else worker for worker in self.workers]

    def replace_drained(self) -> None:
        """Have supervisors start workers anew that ended as they were asked to."""
        for worker in self.workers:
            if worker.drained:
                self._see_what_is_left(worker)
                self.crash(worker)

    def _see_what_is_left(self, worker: Worker) -> None:
        """Note a fault where a worker ended with messages in hand though it waited for nobody's answer."""
        unsent = {held.claim.message_id for held in worker.in_hand if held.waiting}
        sent = {key.partition("-")[0] for call in self.network.calls for key in call.keys}
        if unsent and not unsent & sent and not worker.wire.calls:
            self.witness.faults.append(f"{worker.name} ended and had not given back what it did not send")

    def bury_the_cursed(self) -> None:
        """Crash whoever sent to a customer that its process does not survive."""
        for worker in self.workers:
            if worker.cursed:
                self.crash(worker)

    def tick(self) -> None:
        """Let a second pass in which timers end, but Redis answers nothing yet."""
        self.clock.advance(SECOND)
        for process in self.processes:
            process.loop.run_until_idle()

    def pass_time(self, seconds: int, awake: Sequence[Process], next_fate: Callable[[], Fate] = answered) -> None:
        """Let time pass second by second; only who is awake does anything."""
        for _ in range(seconds):
            self.clock.advance(SECOND)
            for process in awake:
                if process.alive:
                    process.work(next_fate)
            self.bury_the_cursed()
            self.replace_drained()

    def stall(self, seconds: int, process: Process, next_fate: Callable[[], Fate]) -> None:
        """Let time pass while a process is frozen, and the others take what it held once its leases run out."""
        for _ in range(seconds):
            self.pass_time(1, self._others(process), next_fate)
            self._hand_out(self._others(process))

    def delay(self, seconds: int, process: Process, dice: Random) -> None:
        """Let time pass while one call of a process to Redis waits, and its other calls meet any fates."""
        delayed = dice.choice(process.wire.calls)
        for _ in range(seconds):
            self.pass_time(1, self._others(process))
            self._hand_out(self._others(process))
            process.loop.run_until_idle()
            for call in [call for call in process.wire.calls if call is not delayed]:
                process.grant(process.wire.calls.index(call), dice.choice(list(Fate)))
            self.bury_the_cursed()
        if process.alive:
            process.grant(process.wire.calls.index(delayed), Fate.ANSWERED)

    def _others(self, process: Process) -> list[Process]:
        return [one for one in self.processes if one is not process and one.alive]

    def live_well(self, seconds: int, dice: Random) -> None:
        """Let time pass with nothing wrong: hints arrive, and the gateway answers."""
        for _ in range(seconds):
            self.pass_time(1, self.processes)
            self.answer_all(dice)
            self._hand_out(self.processes)
            self.answer_all(dice)

    def _hand_out(self, processes: Sequence[Process]) -> None:
        """Have each hint heard by one of the workers among some processes."""
        hints = list(self.hints)
        self.hints.clear()
        workers = [process for process in processes if isinstance(process, Worker)]
        for worker, hint in zip(workers * len(hints), hints, strict=False):
            if worker.alive:
                worker.take(hint)
                worker.work()
                self.bury_the_cursed()

    def answer_all(self, dice: Random) -> None:
        """Have the gateway answer all calls on their way, and those that follow from its answers."""
        while self.network.calls:
            for call in list(self.network.calls):
                self.network.decide(call, CallFate.ANSWERED, dice)
            for process in self.processes:
                process.work()
            self.bury_the_cursed()


def _grant(app: str, index: int) -> TokenGrant:
    return TokenGrant(User(customer(app, index), _WALLETS[app].name, ("en",)), app, frozenset({SEND_SCOPE}), None)


def customer(app: str, index: int) -> str:
    """Return whom a send is for: a customer of its own, some of whom the gateway or our workers can't bear."""
    return f"{_KINDS.get(index, '')}{app}-{index}"


def _body(app: str, request: int) -> bytes:
    code, _ = _TEMPLATES[request % len(_TEMPLATES)]
    return orjson.dumps(
        {
            "appId": app,
            "accessToken": f"token-{app}-{request}",
            "requestId": f"r{request}",
            "templateCode": code,
            "redirectUrl": "/pages/1",
            "templates": [{"templateParameters": {}}],
        },
    )
