"""What `dev` and `demo` print alike."""

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap

from rich.table import Table

from api_adapter.stack.running import Stack

_WIDTH = 78


def places(stack: Stack) -> Table:
    """Return where everything of a stack is found."""
    settings = stack.settings
    table = Table.grid(padding=(0, 2))
    table.add_row("[bold]HTTP API[/]", f"{stack.api_url}/openapi.json")
    table.add_row("[bold]Gateway simulator[/]", f"{stack.gateway_url}/deliveries")
    table.add_row("", f"{stack.gateway_url}/counts")
    table.add_row("[bold]Valkey[/]", "TIDINGS_REDIS_URL" if settings.redis_url else f"{settings.data_dir}/valkey")
    table.add_row("[bold]Logs[/]", f"{stack.logs}/*.log")
    return table


def curl(url: str, client_id: str, body: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a command for a shell that posts JSON; no text in the body may hold a space or a quote."""
    yield f"curl -s {url} \\"
    yield f"  -H 'Client-Id: {client_id}' -H 'Content-Type: application/json' \\"
    # Broken between two tokens of the JSON, never inside a text.
    data = f"-d '{json.dumps(body)}'"
    yield from wrap(data, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
