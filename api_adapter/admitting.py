"""An admitted send as the ledger takes it, and the hints of what the ledger took. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, final

from api_adapter.judging import Admission
from worker.contract.identity import shard_of
from worker.contract.messages import Acceptance, Hint, Lane, NewMessage
from worker.contract.payload import Payload, Quiet
from worker.contract.rates import RateLimit
from worker.contract.send_request import SendRequest
from worker.contract.users import User


@final
class Send:
    """A well-formed send on its way through intake. A plain class: compiled, one is made six times as fast."""

    def __init__(  # noqa: PLR0913 - what is known of a send
        self,
        *,
        place: int,
        client_id: str,
        request: SendRequest,
        message_id: str,
        fingerprint: str,
        limits: tuple[RateLimit, ...] = (),
        row: int | None = None,
    ) -> None:
        """Keep what was read."""
        self.place: Final = place
        """Its number in the part that it is taken with."""
        self.client_id: Final = client_id
        """Who sent it."""
        self.request: Final = request
        self.message_id: Final = message_id
        self.fingerprint: Final = fingerprint
        self.limits: Final = limits
        """The rate limits it comes under, the narrowest first."""
        self.row: Final = row
        """Its number in its batch, where that is read by rows."""

    def at(self, place: int) -> "Send":
        """Return the same for another part."""
        return self._with(place, self.limits, self.row)

    def as_row(self, row: int) -> "Send":
        """Return the same as a row of a batch job: no rate limit applies."""
        return self._with(self.place, (), row)

    def _with(self, place: int, limits: tuple[RateLimit, ...], row: int | None) -> "Send":
        return Send(
            place=place,
            client_id=self.client_id,
            request=self.request,
            message_id=self.message_id,
            fingerprint=self.fingerprint,
            limits=limits,
            row=row,
        )


def new_message(send: Send, admission: Admission, deliver_within: int) -> NewMessage:
    """Return what the ledger keeps of a send; `deliver_within` is in milliseconds. Its token goes no further (R64)."""
    user, template, choice = admission.user, admission.template, admission.choice
    code, version = template.code, template.version
    payload = Payload(
        user.customer_id,
        admission.wallet.name,
        code,
        version,
        choice.language,
        choice.parameters,
        admission.link,
        send.request.extend_info,
        _quiet(user),
    )
    return NewMessage(
        send.message_id,
        send.request.request_id,
        send.fingerprint,
        user.digest,
        send.client_id,
        code,
        version,
        choice.language,
        admission.channels,
        admission.skipped,
        deliver_within,
        payload.pack(),
        send.row,
        send.request.send_at,
        send.request.expire_at,
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
