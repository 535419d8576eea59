"""Why the authorization server could not say what a token grants. No text holds a token, or a word of an answer."""

from worker.contract.errors import TidingsError


class NotIntrospectedError(TidingsError):
    """Nobody can say now what the token grants; the server itself works."""


class ServerTroubleError(NotIntrospectedError):
    """The server is away, overloaded, or refuses us: it should be left alone for a while."""

    def __init__(self, reason: str, asked: int | None = None) -> None:
        """Keep the milliseconds that the server asked to wait, if it did."""
        super().__init__(reason)
        self.asked = asked
