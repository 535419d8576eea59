"""Ids that are fixed before any queue, so that any process can look a message up (DESIGN, "Ids")."""

from hashlib import blake2b

from worker.contract.messages import Channel

_MESSAGE_ID_BYTES = 16
_NO_NAME = blake2b(digest_size=_MESSAGE_ID_BYTES, person=b"tidings-msg")
"""What each message's digest begins as: to copy it costs half of making it."""
_SHARD_DIGITS = 8


def message_id(app_id: str, request_id: str) -> str:
    """Return the messageId of a requestId: 32 hex digits, the same for the same (appId, requestId) for ever (R50)."""
    digest = _NO_NAME.copy()
    digest.update(f"{app_id}#{request_id}".encode())  # neither can hold a '#' (R12), so no two pairs share a name
    return digest.hexdigest()


def shard_of(message_id: str, shards: int) -> int:
    """Return the shard, 0 to shards-1, that holds a message."""
    return int(message_id[:_SHARD_DIGITS], 16) % shards


def delivery_key(message_id: str, channel: Channel) -> str:
    """Return the messageId towards the gateway: at most 64 characters, different for PUSH and INBOX (R66)."""
    return f"{message_id}-{channel}"
