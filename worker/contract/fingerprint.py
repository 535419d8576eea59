"""What tells whether two sends of one requestId say the same (CONTRACT R41, R53)."""

from hashlib import blake2b

import orjson

from worker.contract.links import link_of
from worker.contract.requests import SendRequest

_NO_CONTENT = blake2b(digest_size=16)
"""What each digest begins as."""


def fingerprint(request: SendRequest) -> str:
    """Return the canonical digest of a send's content, 32 hex digits: of all known fields but the token."""
    send_at, expire_at = request.sendAt, request.expireAt
    content: tuple[object, ...] = (
        request.templateCode,
        link_of(request),
        [(entry.language, entry.templateParameters or {}) for entry in request.templates],
        request.extendInfo,
        request.customerBelongsTo,
    )
    if send_at is not None or expire_at is not None:
        content += (send_at, expire_at)
    digest = _NO_CONTENT.copy()
    digest.update(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()
