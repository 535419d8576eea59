"""requestIds from a file, one a line."""

import re
import sys
from pathlib import Path

from api_adapter.cli.arguments import ArgumentError

_REQUEST_ID = re.compile(r"[^@#?\s\x00-\x1f\x7f-\x9f]{1,64}")


def read_request_ids(path: Path) -> list[str]:
    """Return the requestIds in a file, each once, in order; blank lines are passed over; `-` is standard input.

    Raises ArgumentError naming the line that holds none.
    """
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        lines = data.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ArgumentError(f"--request-ids: can't be read: {reason}") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not _REQUEST_ID.fullmatch(text):
            raise ArgumentError(f"--request-ids: line {number} is no requestId (1 to 64 characters, none of @ # ?)")
        if text:
            found[text] = number
    if not found:
        raise ArgumentError("--request-ids: holds no requestId")
    return list(found)
