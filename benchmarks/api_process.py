"""An API process of tidings, run for a benchmark."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

from benchmarks.stack import TIDINGS, Servers, cpu_seconds, free_port, started, wait_for_port


class ApiProcess(NamedTuple):
    """One that runs."""

    address: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used so far."""
        return cpu_seconds(self.pid)


@contextmanager
def api(found: Servers, environ: Mapping[str, str] = MappingProxyType({})) -> Iterator[ApiProcess]:
    """Run one API process for as long as the block, with some settings of its own."""
    port = free_port()
    command = [*TIDINGS, "serve", "--port", str(port)]
    with started(command, {**found.environment(), **environ}, found.directory / "api.log") as process:
        wait_for_port(port)
        yield ApiProcess(f"http://127.0.0.1:{port}", process.pid)
