"""What a merchant's answer means for a callback (Standard Webhooks, "Delivery success and failure"). Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.callbacks.ports import Reply
from worker.contract.callbacks import CallbackSettlement, CallbackVerdict, DueCallback

_GONE = 410
_SUCCESS = range(200, 300)
_THROTTLED = frozenset({429, 502, 503, 504})
"""Answers that are about the merchant's load, and not about one callback."""
_LONGEST_WAIT = 86_400_000
"""Milliseconds: the most that a Retry-After is taken at its word."""


@dataclass(frozen=True, slots=True)
class CallbackPolicy:
    """How long a callback is tried; in milliseconds. See the settings of the same names."""

    backoff_base: int = 5_000
    backoff_cap: int = 14_400_000
    give_up: int = 3 * 86_400_000


def succeeded(reply: Reply) -> bool:
    """Return whether the merchant took the callback."""
    return reply.status in _SUCCESS


def says_gone(reply: Reply) -> bool:
    """Return whether the merchant wants no callback any more."""
    return reply.status == _GONE


def judge(
    callback: DueCallback,
    reply: Reply,
    policy: CallbackPolicy,
    now: int,
    draw: Callable[[], float],
) -> CallbackSettlement:
    """Return what becomes of a callback that was answered at a time of the ledger; `draw` gives jitter in [0, 1)."""
    if succeeded(reply):
        return CallbackSettlement(callback, CallbackVerdict.DELIVERED, tries=1, detail=reply.detail)
    if says_gone(reply):
        return CallbackSettlement(callback, CallbackVerdict.DEAD, tries=1, detail=reply.detail)
    delay = max(backoff(callback.tries, policy, draw), pause_asked(reply))
    if now + delay - callback.since > policy.give_up:
        return CallbackSettlement(callback, CallbackVerdict.DEAD, tries=1, detail=reply.detail)
    return CallbackSettlement(callback, CallbackVerdict.RETRY, delay, tries=1, detail=reply.detail)


def backoff(failures: int, policy: CallbackPolicy, draw: Callable[[], float]) -> int:
    """Return milliseconds to wait after so many earlier failures: doubling, with full jitter."""
    return int(draw() * min(policy.backoff_base * 2 ** min(failures, 40), policy.backoff_cap))


def pause_asked(reply: Reply) -> int:
    """Return for how many milliseconds the merchant asked to wait, at most a day; 0: it did not ask."""
    return min(reply.retry_after or 0, _LONGEST_WAIT)


def is_throttled(reply: Reply) -> bool:
    """Return whether the merchant can't take any callback at present."""
    return reply.status in _THROTTLED
