"""What `dev` and `demo` print alike."""

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap

from rich.markup import escape

from api_adapter.stack.running import Stack

_WIDTH = 78


def places(stack: Stack) -> Iterator[str]:
    """Yield lines that say where everything of a stack is found."""
    settings = stack.settings
    for name, place in (
        ("HTTP API", f"{stack.api_url}/openapi.json"),
        ("Gateway simulator", f"{stack.gateway_url}/deliveries"),
        ("", f"{stack.gateway_url}/counts"),
        ("Valkey", "TIDINGS_REDIS_URL" if settings.redis_url else f"{settings.data_dir}/valkey"),
        ("Logs", f"{stack.logs}/*.log"),
    ):
        yield f"[bold]{name:<17}[/]  {escape(place)}"


def curl(url: str, client_id: str, body: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a command for a shell that posts JSON; no text in the body may hold a space or a quote."""
    yield f"curl -s {url} \\"
    yield f"  -H 'Client-Id: {client_id}' -H 'Content-Type: application/json' \\"
    # Broken between two tokens of the JSON, never inside a text.
    data = f"-d '{json.dumps(body)}'"
    yield from wrap(data, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
