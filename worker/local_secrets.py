"""The key of the tokens' keyed hash: from the settings, or made once beside the embedded Valkey's data."""

import os
import secrets
from pathlib import Path

from worker.contract.errors import SettingsError
from worker.settings import Settings

_SECRET_BYTES = 32
_SHORTEST = 16
_FILE = "token-secret"


def token_secret(settings: Settings) -> bytes:
    """Return the key; raise SettingsError where a shared Redis needs one and none is set."""
    configured = settings.token_secret.get_secret_value().encode()
    if configured:
        if len(configured) < _SHORTEST:
            raise SettingsError(f"TIDINGS_TOKEN_SECRET: must have at least {_SHORTEST} characters")
        return configured
    if settings.redis_url:
        raise SettingsError(
            "TIDINGS_TOKEN_SECRET: is required with TIDINGS_REDIS_URL, the same for every process; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return _kept_in(settings.data_dir / _FILE)


def _kept_in(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(f".{os.getpid()}")
    if not path.exists():
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_urlsafe(_SECRET_BYTES).encode())
        try:
            os.link(made, path)  # the first process wins, whole
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_bytes()
