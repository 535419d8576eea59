"""The headers that prove who answered (CONTRACT R26)."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from api_adapter.clients import client_id_of
from worker.contract.codes import Result
from worker.contract.moments import moment_text
from worker.ports import Clock
from worker.signatures import Signer, signed_content

AnswerHeaders: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]
"""Method and path as requested, headers of the request and body of the answer, to more headers of the answer."""


def unsigned(_method: str, _path: str, _headers: Mapping[str, str], _body: bytes) -> Mapping[str, str]:
    """Return no headers."""
    return {}


class SignedAnswers:
    """Signs each answer for the client that the request names; one that names nobody is not signed."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        """Keep the server's own key."""
        self._signer = signer
        self._clock = clock

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Return Client-Id, Response-Time and Signature."""
        client_id = client_id_of(headers)
        if isinstance(client_id, Result):
            return {}
        time = moment_text(self._clock.now())
        signature = self._signer.header(signed_content(path, client_id, time, body, method))
        return {"Client-Id": client_id, "Response-Time": time, "Signature": signature}
