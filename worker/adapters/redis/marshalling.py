"""How messages, settlements and claims look as the arguments and replies of the ledger's scripts."""

from collections.abc import Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any

from worker.adapters.redis.replies import text
from worker.batching import chunks
from worker.contract.callbacks import Outcomes
from worker.contract.dead_letters import label
from worker.contract.messages import (
    Channel,
    Claim,
    DeliveryState,
    DeliveryUpdate,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
    Settlement,
)

_NO_PAST = (0, 0, 0)
_NO_GATEWAYS: Mapping[Channel, str] = MappingProxyType({})


def new_message_arguments(messages: Sequence[NewMessage]) -> list[str | bytes | int]:
    """Return the arguments of messages for `accept_messages`: the 4 that many have in common once, then 5 for each."""
    commons: dict[tuple[str | int, ...], int] = {}
    own: list[str | bytes | int] = []
    for message in messages:
        common = (
            message.client_id,
            message.template_code,
            message.template_version,
            message.language,
            message.deliver_within,
            _first_state(message, Channel.PUSH),
            _first_state(message, Channel.INBOX),
        )
        number = commons.setdefault(common, len(commons))
        own += (message.request_id, message.fingerprint, message.user, number, message.payload)
    shared: list[str | int] = [len(commons)]
    for client_id, code, version, language, *others in commons:
        shared += (f"{version}#{language}#{code}#{client_id}", *others)
    return [*shared, *own]


def read_template(field: str) -> tuple[int, str, str, str]:
    """Return version, language, template code and Client-Id from a record's `tpl`; only a Client-Id may hold a '#'."""
    version, language, code, client_id = field.split("#", 3)
    return int(version), language, code, client_id


def extra_arguments(messages: Sequence[NewMessage]) -> list[str | int]:
    """Return the 3 last arguments of each message for `accept_messages`: nothing where no message has any."""
    if not _any_has_extras(messages):
        return []
    extras = [(message.row, message.send_at, message.expire_at) for message in messages]
    return ["" if value is None else value for extra in extras for value in extra]


def _any_has_extras(messages: Sequence[NewMessage]) -> bool:
    for message in messages:
        if message.row is not None or message.send_at is not None or message.expire_at is not None:
            return True
    return False


def outcomes_text(outcomes: Outcomes) -> str:
    """Return outcomes as records and registrations write them, such as `FSU`."""
    return "".join(sorted(outcomes))


def _first_state(message: NewMessage, channel: Channel) -> str:
    if channel in message.channels:
        return DeliveryState.OPEN
    return DeliveryState.SKIPPED if channel in message.skipped else ""


def settlement_arguments(settlement: Settlement) -> tuple[str | bytes | int, ...]:
    """Return the 10 arguments of a settlement for `settle_messages`."""
    updates = {update.channel: update for update in settlement.updates}
    return (
        settlement.message_id,
        settlement.claim_id,
        settlement.attempt,
        settlement.verdict,
        settlement.delay,
        settlement.tries,
        settlement.cause,
        settlement.worker,
        _update(updates.get(Channel.PUSH)),
        _update(updates.get(Channel.INBOX)),
    )


def _update(update: DeliveryUpdate | None) -> str:
    if update is None:
        return ""
    if update.code:
        return f"{update.state}|{label(update.gateway)}|{update.code}|{update.message}"
    return f"{update.state}|{label(update.gateway)}" if update.gateway else update.state


def read_claim(row: Sequence[Any], claim_id: str) -> Claim:
    """Return the claim in one row of the reply of `claim_messages`."""
    message_id, attempt, taken, claimed, expires, push, inbox, app, payload, *past = row
    tries, crashes, lone, *asked = past or _NO_PAST
    deliveries: dict[Channel, str] = {}
    if push:
        deliveries[Channel.PUSH] = text(push)
    if inbox:
        deliveries[Channel.INBOX] = text(inbox)
    return Claim(
        text(message_id),
        claim_id,
        attempt,
        tries,
        crashes,
        taken,
        claimed,
        expires,
        deliveries,
        payload,
        text(app),
        lone,
        _gateways(asked) if any(asked) else _NO_GATEWAYS,
    )


def _gateways(names: Sequence[bytes]) -> dict[Channel, str]:
    return {channel: text(name) for channel, name in zip(Channel, names, strict=True) if name}


def note_arguments(note: GatewayNote) -> tuple[str | int, ...]:
    """Return the 4 arguments of a note for `note_gateways`."""
    names = (label(note.gateways.get(channel, "")) for channel in Channel)
    return (note.claim_id, note.attempt, *names)


def sweep_hints(shard: int, swept: Sequence[tuple[str, Lane, int]]) -> list[Hint]:
    """Return what was swept from a shard, each with its lane and crashes, as hints: lanes and kinds apart."""
    by_kind: dict[tuple[HintKind, Lane], list[str]] = {}
    for message_id, lane, crashes in swept:
        by_kind.setdefault((HintKind.of(crashes), lane), []).append(message_id)
    hints = []
    for kind, lane in product(HintKind, Lane):
        hints += [Hint(lane, shard, tuple(chunk), kind) for chunk in chunks(by_kind.get((kind, lane), ()), kind.most)]
    return hints
