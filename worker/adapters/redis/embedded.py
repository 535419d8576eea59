"""The embedded Valkey: one server for all processes that share a data directory, there while any of them needs it.

The first process that needs it starts it, every one shares a lock while it needs it, and the last one to leave stops
it. A process that is killed leaves it running, for the next one to find. Data is kept between runs.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.adapters.redis.file_locks import exclusive, is_held, open_lock, release, take_shared
from worker.adapters.redis.valkey_server import Address, EmbeddedValkeyError, ValkeyServer

_PATIENCE_SECONDS = 60.0
_LEDGER_DATABASE = 0
_BROKER_DATABASE = 1


class EmbeddedValkey:
    """A process's need of the server, for the length of a `with` block.

    Children forked inside the block belong to it: they may use the server until their parent leaves, and leaving the
    block themselves stops nothing.
    """

    def __init__(self, data_dir: Path, patience: float = _PATIENCE_SECONDS) -> None:
        """Take the directory that the processes share, and the seconds that the server may take to answer or stop."""
        home = data_dir.absolute() / "valkey"
        self._home = home
        self._users = home.with_suffix(".lock")
        self._guard = home / "guard.lock"
        self._server = ValkeyServer(home, home.with_suffix(".json"), patience)
        self._address = Address(port=0, password="")
        self._lock = -1
        self._owner = 0

    @property
    def url(self) -> str:
        """The ledger's database, password included."""
        return self._address.url(_LEDGER_DATABASE)

    @property
    def broker_url(self) -> str:
        """The Celery broker's database, password included."""
        return self._address.url(_BROKER_DATABASE)

    def __enter__(self) -> Self:
        """Find the running server or start one.

        Raises:
            EmbeddedValkeyError: there is none to be had; the text says why and what to do.
        """
        self._make_home()
        with exclusive(self._guard):
            self._address = self._server.find() or self._server.start()
            self._lock = open_lock(self._users)
            take_shared(self._lock)
        self._owner = os.getpid()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the server, stopping it where nobody else needs it.

        Raises:
            EmbeddedValkeyError: it did not stop.
        """
        if os.getpid() != self._owner:
            # A forked child: to release the lock, or to stop the server, would take it from the parent.
            os.close(self._lock)
            return
        with exclusive(self._guard):
            release(self._lock)
            if not is_held(self._users) and self._server.runs():
                self._server.stop()

    def _make_home(self) -> None:
        """Make the directory, readable by the owner alone."""
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedValkeyError(
                f"The data directory {self._home.parent} can't be used ({error.strerror}). "
                "Choose another one with TIDINGS_DATA_DIR, or set TIDINGS_REDIS_URL and TIDINGS_BROKER_URL."
            ) from error
