"""The client's private key, read from the file that an option names."""

from pathlib import Path

from api_adapter.cli.arguments import ArgumentError
from worker.signatures import Signer, UnusableKeyError


def read_signer(option: str, key: Path, key_version: int) -> Signer:
    """Return what signs with a key; raise ArgumentError, which shows nothing of the file."""
    try:
        return Signer(key.read_bytes(), key_version)
    except OSError as error:
        raise ArgumentError(f"{option}: can't be read ({error.strerror}); give a PEM file") from error
    except UnusableKeyError as error:
        raise ArgumentError(f"{option}: {error}") from None
