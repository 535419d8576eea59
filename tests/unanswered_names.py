"""`tidings` where no name of `.test` is ever answered: `python -m tests.unanswered_names ARGUMENTS`."""

import socket
import sys
import time
from typing import Any

from api_adapter.cli.main import main

ASKED = "asks the name server for "
_FOR_EVER = 86_400.0

_look_up = socket.getaddrinfo


def _ask(host: Any, *arguments: Any, **options: Any) -> list[Any]:  # noqa: ANN401 - whatever Python's own takes
    if str(host).endswith(".test"):
        sys.stderr.write(f"{ASKED}{host}\n")
        sys.stderr.flush()
        time.sleep(_FOR_EVER)
    return _look_up(host, *arguments, **options)


if __name__ == "__main__":
    socket.getaddrinfo = _ask
    main()
