"""Callbacks as a merchant receives them: who sent them, and what they say (Standard Webhooks 1.0)."""

from collections.abc import Mapping

from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from api_adapter.client.answers import ChannelOutcome, Model
from api_adapter.client.errors import AccessError, UntrustedCallbackError
from worker.callbacks.events import BATCH_PROGRESS, MESSAGE_FINAL
from worker.callbacks.secrets import UnusableSecretError, checked_secret
from worker.contract.codes import ResultStatus
from worker.contract.outcomes import Reason


class MessageFinal(Model):
    """A message got its outcome; times are ms since 1970."""

    message_id: str
    app_id: str
    request_id: str
    status: ResultStatus
    reason: Reason | None = None
    partial: bool = False
    """F, but some channel has S."""
    batch_id: str | None = None
    """The batch that it came in."""
    finality: int
    """How often it became final: more than 1 after a replay, and the higher one counts."""
    taken_at: int
    settled_at: int
    channels: tuple[ChannelOutcome, ...]


class BatchProgress(Model):
    """A batch job passed a percentage; times are ms since 1970."""

    batch_id: str
    app_id: str
    percentage: int
    """The highest of 25, 50, 75 and 100 that it passed; 100: every message has its outcome."""
    state: str
    """RUNNING, PAUSED or CANCELLED."""
    accepted: int
    """Its messages: open + S + U + F + forgotten."""
    open: int
    S: int
    U: int
    F: int
    forgotten: int = 0
    created_at: int
    passed_at: int


class Callback(Model):
    """What was told."""

    id: str
    """The same for each repeat: note what you have seen."""
    type: str
    """`message.final`, `batch.progress`, or one that this client does not know: answer it with 2xx all the same."""
    final: MessageFinal | None
    """Of `message.final`."""
    progress: BatchProgress | None = None
    """Of `batch.progress`."""


class _Event(Model):
    type: str


class _Final(Model):
    data: MessageFinal


class _Progress(Model):
    data: BatchProgress


class CallbackVerifier:
    """Verifies callbacks by the secrets that `tidings callback put` and `rotate` printed.

    >>> verifier = CallbackVerifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> def receive(headers, body):
    ...     try:
    ...         callback = verifier.verify(headers, body)
    ...     except UntrustedCallbackError:
    ...         return 401
    ...     return 204
    >>> receive({}, b"{}")
    401
    """

    def __init__(self, *secrets: str) -> None:
        """Take a secret, or several; raise AccessError, which shows none."""
        if not secrets:
            raise AccessError("secrets: at least one is needed")
        try:
            self._webhooks = tuple(Webhook(checked_secret(secret)) for secret in secrets)
        except UnusableSecretError as error:
            raise AccessError(f"secrets: {error}") from None

    def verify(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what the raw body of a POST tells; raise UntrustedCallbackError, then answer 401."""
        given = dict(headers)
        if not any(_is_signed(webhook, given, body) for webhook in self._webhooks):
            raise UntrustedCallbackError("the callback was not signed just now by one of the secrets")
        try:
            kind = _Event.model_validate_json(body).type
            final = _Final.model_validate_json(body).data if kind == MESSAGE_FINAL else None
            progress = _Progress.model_validate_json(body).data if kind == BATCH_PROGRESS else None
        except ValidationError:
            raise UntrustedCallbackError("the callback is no event of tidings") from None
        id_ = next(value for name, value in given.items() if name.lower() == "webhook-id")
        return Callback(id=id_, type=kind, final=final, progress=progress)


def _is_signed(webhook: Webhook, headers: dict[str, str], body: bytes) -> bool:
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # the library reads what strangers send, and not all of it carefully
        return False
    return True
