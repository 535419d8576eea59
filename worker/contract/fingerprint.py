"""What tells whether two sends of one requestId say the same (CONTRACT R41, R53)."""

from hashlib import blake2b

import orjson

from worker.contract.links import link_of
from worker.contract.send_request import SendRequest

_NO_CONTENT = blake2b(digest_size=16)
"""What each digest begins as."""


def fingerprint(request: SendRequest) -> str:
    """Return the canonical digest of a send's content, 32 hex digits: of all known fields but the token."""
    send_at, expire_at = request.send_at, request.expire_at
    content: tuple[object, ...] = (
        request.template_code,
        link_of(request),
        [(entry.language, entry.parameters) for entry in request.templates],
        request.extend_info,
        request.customer_belongs_to,
    )
    if send_at is not None or expire_at is not None:
        content += (send_at, expire_at)
    digest = _NO_CONTENT.copy()
    digest.update(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()
