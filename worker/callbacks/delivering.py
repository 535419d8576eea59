"""Calls merchants back, as far as this process has the right to: claim, call, settle; for ever.

A merchant is called by one process at a time, so its calls at once are bounded in all. One that is slow, or hangs, has
its own calls alone to wait for. Nothing leaves the ledger before its merchant has answered.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from worker.batching import grouped
from worker.callbacks.events import body_of, webhook_id
from worker.callbacks.merchants import AHEAD, InHand, Merchant
from worker.callbacks.ports import Outbox, Poster, Queue
from worker.callbacks.secrets import UnusableSecretError
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import CallbackPolicy, judge, says_gone
from worker.contract.callbacks import GONE, CallbackRegistration, CallbackSettlement, CallbackVerdict, DueCallback
from worker.contract.errors import LedgerFaultError, LedgerUnavailableError
from worker.contract.messages import CHUNK
from worker.ports import Clock
from worker.registry_ports import CallbackRegistry

_OWNED_FOR = 10_000
"""Milliseconds for which a merchant is this process' own, renewed in each round that it has to do with."""
_MARGIN = 5_000
"""Milliseconds of a lease that are left when the last call under it must have ended."""
_IDLE = 60.0
"""Seconds between looks while nobody has a callback: what waits as the last one is removed has to be given up."""
_PATIENCE = 0.5
_PAUSE = 0.02
"""Seconds between rounds that follow each other."""
_LAST_CALLS = 2.0
"""Seconds that a stopping process waits for calls in flight; a merchant that hangs must not keep it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallbackLimits:
    """Bounds and durations, in milliseconds. See the settings of the same names."""

    calls_per_merchant: int = 10
    calls: int = 500
    timeout: int = 15_000
    interval: int = 1_000

    @property
    def lease(self) -> int:
        """How long a claimed callback is held at most: those ahead of it, and its own call."""
        return self.timeout * (AHEAD + 1) + _MARGIN


class CallbackDeliverer:
    """Looks for due callbacks once an interval, and whenever something became final or was answered."""

    def __init__(  # noqa: PLR0913 - the parts of calling back
        self,
        *,
        outbox: Outbox,
        registry: CallbackRegistry,
        poster: Poster,
        signer: CallbackSigner,
        clock: Clock,
        limits: CallbackLimits,
        policy: CallbackPolicy,
        process: str,
        draw: Callable[[], float],
    ) -> None:
        """Keep the collaborators; `process` names this one among all, `draw` gives jitter in [0, 1)."""
        self._outbox = outbox
        self._registry = registry
        self._poster = poster
        self._signer = signer
        self._clock = clock
        self._limits = limits
        self._policy = policy
        self._process = process
        self._draw = draw
        self._registrations: Mapping[str, CallbackRegistration] = {}
        self._merchants: dict[str, Merchant] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._settlements: list[CallbackSettlement] = []
        self._look = asyncio.Event()
        self._settle = asyncio.Event()
        self._stopping = False
        self._available = True
        self._idle_until = clock.monotonic() + _IDLE

    def look_soon(self) -> None:
        """Say that something may have become final."""
        self._look.set()

    def stop(self) -> None:
        """Begin no call any more."""
        self._stopping = True
        self._look.set()

    async def run(self) -> None:
        """Look for callbacks, until `stop`."""
        while not self._stopping:
            self._look.clear()
            await self._guarded_round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.interval / 1000 * (0.75 + 0.5 * self._draw())):
                    await self._look.wait()
            await asyncio.sleep(_PAUSE)

    async def run_settling(self) -> None:
        """Settle whatever was answered, for ever."""
        while True:
            await self._settle.wait()
            self._settle.clear()
            await self._record()

    async def drain(self) -> None:
        """Give back what was not sent, wait a little for calls in flight, and leave the merchants to others.

        What is not answered by then is sent once more, with the same webhook-id, when its lease ends.
        """
        self.stop()
        for merchant in self._merchants.values():
            self._give_back(merchant, 0)
        if self._calls:
            await asyncio.wait(self._calls, timeout=_LAST_CALLS)
        for call in self._calls:
            call.cancel()
        await self._record()
        with contextlib.suppress(LedgerUnavailableError):
            await self._outbox.own(list(self._merchants), self._process, 0)

    async def _guarded_round(self) -> None:
        try:
            await self._round()
        except LedgerUnavailableError as error:
            if self._available:
                log.warning("callbacks_wait_for_ledger", reason=str(error))
            self._available = False
        except Exception:
            # What nobody foresaw of callbacks must not end a process that delivers messages.
            log.exception("callback_round_broke")
        else:
            self._available = True

    async def _round(self) -> None:
        self._registrations = await self._registry.all()
        now = self._clock.monotonic()
        if not self._registrations and now < self._idle_until:
            return
        self._idle_until = now + _IDLE
        by_app = grouped(await self._outbox.due(), lambda place: place[1])
        self._forget_idle(by_app)
        ready = {app for app in by_app if self._room(app)}
        busy = {app for app, merchant in self._merchants.items() if merchant.in_hand}
        for app in busy - self._registrations.keys():
            self._give_back(self._merchants[app], 0)
        apps = sorted(ready | busy)
        owned = await self._outbox.own(apps, self._process, _OWNED_FOR) if apps else []
        ours = ready & {app for app, own in zip(apps, owned, strict=True) if own}
        for app in busy & self._registrations.keys():
            self._send(self._registrations[app])  # what had to wait for calls of others
        if ours and not self._stopping:
            await self._claim({app: by_app[app] for app in ours})

    async def _claim(self, places: Mapping[str, Sequence[Queue]]) -> None:
        wanted = {place: most for app, own in places.items() for place, most in _shares(own, self._room(app))}
        deadline = self._clock.monotonic() + (self._limits.lease - self._limits.timeout - _MARGIN) / 1000
        for app_id, callbacks in grouped(await self._outbox.claim(wanted, self._limits.lease), _app_of).items():
            registration = self._registrations.get(app_id)
            if registration is None or registration.disabled:
                why = "REMOVED" if registration is None else "DISABLED"
                self._end(CallbackSettlement(one, CallbackVerdict.DEAD, detail=why) for one in callbacks)
                self._idle_until = 0.0
                self._look.set()
            else:
                self._merchant(app_id).waiting.extend(InHand(one, deadline) for one in callbacks)
                self._send(registration)

    def _room(self, app_id: str) -> int:
        """Return how many callbacks of a merchant may be claimed."""
        registration = self._registrations.get(app_id)
        if registration is None or registration.disabled:
            return CHUNK
        if len(self._calls) >= self._limits.calls or not self._signer.can_sign(registration):
            return 0
        return self._merchant(app_id).room(self._clock.monotonic())

    def _merchant(self, app_id: str) -> Merchant:
        return self._merchants.setdefault(app_id, Merchant(self._limits.calls_per_merchant))

    def _forget_idle(self, due: Mapping[str, object]) -> None:
        """Forget merchants for whom there is nothing to do: there may be very many."""
        now = self._clock.monotonic()
        for app_id, merchant in list(self._merchants.items()):
            if app_id not in due and not merchant.in_hand and not merchant.is_paused(now):
                del self._merchants[app_id]

    def _send(self, registration: CallbackRegistration) -> None:
        """Begin as many calls as the merchant and this process may have at once."""
        merchant = self._merchant(registration.app_id)
        while not self._stopping and len(self._calls) < self._limits.calls:
            held = merchant.next(self._clock.monotonic())
            if held is None:
                return
            merchant.in_flight += 1
            task = asyncio.create_task(self._call(registration, merchant, held.callback))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _call(self, registration: CallbackRegistration, merchant: Merchant, callback: DueCallback) -> None:
        try:
            body = body_of(callback.told)
            headers = self._signer.headers(registration, webhook_id(callback.told), body)
            reply = await self._poster.post(registration.url, headers, body)
            pause = merchant.heard(reply, self._clock.monotonic(), self._draw)
            claimed_at = callback.lease_until - self._limits.lease
            self._end([judge(callback, reply, self._policy, claimed_at, self._draw)])
            if says_gone(reply):
                await self._disable(registration)
                self._give_back(merchant, 0)
            elif pause:
                log.warning("merchant_left_alone", app_id=registration.app_id, milliseconds=pause, reason=reply.detail)
                self._give_back(merchant, pause)
        except UnusableSecretError:
            self._signer.can_sign(registration)  # says so; the lease ends
        except Exception:
            # A bug that this callback met: its lease ends, and it is tried again.
            log.exception("callback_broke", app_id=registration.app_id, subject=callback.key.subject)
        finally:
            merchant.in_flight -= 1
        self._send(registration)
        self._look.set()

    async def _disable(self, registration: CallbackRegistration) -> None:
        log.warning("callback_disabled", app_id=registration.app_id, reason=GONE)
        with contextlib.suppress(LedgerUnavailableError):  # the next call is answered so too
            await self._registry.disable(registration.app_id, registration.url, GONE)

    def _give_back(self, merchant: Merchant, delay: int) -> None:
        """Let go what was not sent; others may have it after so many milliseconds."""
        untried, merchant.waiting = list(merchant.waiting), type(merchant.waiting)()
        self._end(CallbackSettlement(held.callback, CallbackVerdict.BACK, delay) for held in untried)

    def _end(self, settlements: Iterable[CallbackSettlement]) -> None:
        self._settlements += settlements
        self._settle.set()

    async def _record(self) -> None:
        """Settle, however long the ledger is away: what merchants answered is known here alone."""
        batch, self._settlements = self._settlements, []
        while batch:
            try:
                await self._outbox.settle(batch)
            except LedgerFaultError:
                log.exception("callbacks_not_settled", callbacks=len(batch))  # their leases end, they are made again
                return
            except LedgerUnavailableError:
                await asyncio.sleep(_PATIENCE)
            else:
                return


def _app_of(callback: DueCallback) -> str:
    return callback.key.app_id


def _shares(places: Sequence[Queue], room: int) -> Iterable[tuple[Queue, int]]:
    """Share room out to the shards of a merchant."""
    some = places[:room]
    return ((place, -(-room // len(some))) for place in some)
