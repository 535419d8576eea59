"""What the client raises; no text holds a token, a key or a user's text."""

from api_adapter.client.answers import Result
from worker.contract.errors import TidingsError


class ClientError(TidingsError):
    """Base of all errors of the client."""


class AccessError(ClientError):
    """A URL, a Client-Id or a key can't be used; the text says which is needed."""


class RefusedError(ClientError):
    """The API refused a call (F): nothing was done. Repeating it unchanged is of no use."""

    def __init__(self, result: Result, retry_after: float | None = None) -> None:
        """Keep the result, and after how many seconds the API asks to be called again, if it does."""
        super().__init__(f"{result.code}: {result.message}")
        self.result = result
        self.retry_after = retry_after


class UnknownError(ClientError):
    """Nobody can say whether a call was done (U), however often it was repeated. Repeating it is always safe (R52)."""

    def __init__(self, result: Result, advice: str) -> None:
        """Keep the newest result; the advice is how to repeat the call."""
        super().__init__(f"{result.code}: {result.message} {advice}")
        self.result = result


class UntrustedAnswerError(ClientError):
    """An answer is not signed by the server's key (R26), so it says nothing: whether the call was done is not known."""


class UntrustedCallbackError(ClientError):
    """A callback is not tidings' own, or is no event; answer 401. The text shows nothing of it."""


class JoinError(ClientError):
    """The errors of a batch can't be joined with a file; the text names the file, and says what to do."""
