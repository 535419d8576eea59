"""An admitted send as the ledger takes it, and the hints of what the ledger took. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from api_adapter.judging import Admission, user_digest
from worker.contract.identity import shard_of
from worker.contract.messages import Acceptance, Hint, Lane, NewMessage
from worker.contract.payload import Payload, Quiet
from worker.contract.rates import RateLimit
from worker.contract.requests import SendRequest
from worker.contract.users import User


class Send(NamedTuple):
    """A well-formed send on its way through intake."""

    place: int
    """Its number in the part that it is taken with."""
    client_id: str
    """Who sent it."""
    request: SendRequest
    message_id: str
    fingerprint: str
    limits: tuple[RateLimit, ...] = ()
    """The rate limits it comes under, the narrowest first."""
    row: int | None = None
    """Its number in its batch, where that is read by rows."""


def new_message(send: Send, admission: Admission, deliver_within: int) -> NewMessage:
    """Return what the ledger keeps of a send; `deliver_within` is in milliseconds. Its token goes no further (R64)."""
    template, choice = admission.template, admission.choice
    payload = Payload(
        customer_id=admission.user.customer_id,
        wallet=admission.wallet.name,
        template_code=template.code,
        template_version=template.version,
        language=choice.language,
        parameters=choice.parameters,
        redirect_url=admission.link,
        extend_info=send.request.extendInfo,
        quiet=_quiet(admission.user),
    )
    return NewMessage(
        message_id=send.message_id,
        request_id=send.request.requestId,
        fingerprint=send.fingerprint,
        user=user_digest(admission.user),
        client_id=send.client_id,
        template_code=template.code,
        template_version=template.version,
        language=choice.language,
        channels=admission.channels,
        skipped=admission.skipped,
        deliver_within=deliver_within,
        payload=payload.pack(),
        row=send.row,
        send_at=send.request.sendAt,
        expire_at=send.request.expireAt,
    )


def _quiet(user: User) -> Quiet | None:
    """Return when the user wants no PUSH; in UTC where the time zone is not known."""
    return None if user.quiet_hours is None else Quiet(user.quiet_hours, user.time_zone or "UTC")


def hints_of(
    lane: Lane,
    messages: Sequence[NewMessage],
    accepted: Sequence[Acceptance],
    shards: int,
) -> list[Hint]:
    """Return the hints of the messages that are due, by shard; the others wait in their merchant's backlog."""
    by_shard: dict[int, list[str]] = defaultdict(list)
    for message, acceptance in zip(messages, accepted, strict=True):
        if acceptance is Acceptance.DUE:
            by_shard[shard_of(message.message_id, shards)].append(message.message_id)
    return [Hint(lane, shard, tuple(ids)) for shard, ids in by_shard.items()]
