"""In which phase an HTTP call failed: what was never sent may be sent elsewhere."""

from pyreqwest.exceptions import DetailedPyreqwestError, PoolTimeoutError, PyreqwestError

_WHILE_CONNECTING = "client error (Connect)"


def was_never_sent(error: PyreqwestError | ValueError) -> bool:
    """Say whether a call certainly never reached the other side; in doubt it did.

    The type alone does not tell: pyreqwest raises a ConnectError for a connection that broke while the answer was
    awaited, and a ConnectTimeoutError for a server that never answered. The causes name the phase.
    """
    if isinstance(error, (ValueError, PoolTimeoutError)):  # a URL that is none, or no connection was free
        return True
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    return any(cause["message"] == _WHILE_CONNECTING for cause in causes or ())
