"""Reading what Redis answers."""


def text(value: bytes | str) -> str:
    """Return a reply as text: redis-py answers bytes here, and says that it may answer either."""
    return value.decode() if isinstance(value, bytes) else value


def raw(value: bytes | str) -> bytes:
    """Return a reply as bytes."""
    return value.encode() if isinstance(value, str) else value
