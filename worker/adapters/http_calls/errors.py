"""Why a call has no answer, by what may have been sent. No text holds a URL, a header or a body."""

from worker.contract.errors import TidingsError


class CallError(TidingsError):
    """A call ended without an answer."""


class NeverSentError(CallError):
    """Nothing of the request was written: it may be sent elsewhere."""


class UnfitUrlError(NeverSentError):
    """The URL is none, or not of http or https."""


class HostNotFoundError(NeverSentError):
    """The host's name leads to no address, or can't be looked up at present."""


class ConnectError(NeverSentError):
    """No address takes a connection, or the connection ended before the request was written."""


class ConnectTimeoutError(NeverSentError):
    """No connection was there in time."""


class UntrustedCertificateError(NeverSentError):
    """The host's certificate is for another name, expired, or signed by nobody who is trusted."""


class ClientClosedError(NeverSentError):
    """The client was closed before the request was written."""


class UnansweredError(CallError):
    """The request was written, in whole or in part: it may have been acted on."""


class AnswerTimeoutError(UnansweredError):
    """The answer was not there in time, or not in whole."""


class BrokenAnswerError(UnansweredError):
    """The connection ended before the answer did; its text says how."""


class UnreadableAnswerError(UnansweredError):
    """What came is no answer; its text says what is wrong, in our words or in the parser's."""
