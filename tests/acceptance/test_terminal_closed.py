"""A terminal that is closed takes the stack with it: nothing is left running."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from tests.stacks import ROOT, wait_until


def test_closing_the_terminal_of_dev_stops_everything(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    environ |= {"TIDINGS_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    dev = subprocess.Popen(
        [sys.executable, "-P", "-m", "api_adapter", "dev"],
        env=environ,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    screen = b""
    while b"Ctrl-C stops it" not in screen:
        screen += os.read(master, 4096)
    os.close(master)
    dev.send_signal(signal.SIGHUP)
    dev.wait(60)

    wait_until(lambda: not _of(tmp_path), "all parts to end")


def _of(tmp_path: Path) -> list[str]:
    command = ["/bin/ps", "axeww", "-o", "pid=,args="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(tmp_path) in line and command[0] not in line]
