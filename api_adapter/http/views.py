"""Schemas of what a template's channels show (see `api_adapter.previewing`)."""

from api_adapter.http.schemas import COUNT, TEXT, array_schema, object_schema
from api_adapter.inquiries import Json
from worker.contract.messages import Channel
from worker.languages import Why

_LENGTH = object_schema({"characters": COUNT, "most": COUNT})
_CHANNEL = object_schema(
    {
        "channel": {"enum": [channel.value for channel in Channel]},
        "content": {"type": ["object", "null"], "description": "the messageContent; null where it can't be rendered"},
        "lengths": {"type": "object", "additionalProperties": _LENGTH, "description": "of title, body, messageContent"},
        "fault": {"type": ["string", "null"], "description": "why the wallet would never get it"},
    },
)
_ENTRY: Json = {**COUNT, "description": "index in `templates` of the entry whose parameters it has"}
VIEW = object_schema(
    {
        "language": TEXT,
        "entry": _ENTRY,
        "missing": {**array_schema(TEXT), "description": "parameters that the entry lacks; nothing is shown then"},
        "channels": array_schema(_CHANNEL),
    },
)
"""One language."""
CHOICE: Json = {
    "anyOf": [
        object_schema(
            {"language": TEXT, "entry": _ENTRY, "why": {"enum": [why.value for why in Why]}, "reason": TEXT},
        ),
        {"type": "null"},
    ],
    "description": "the language that the user gets and why; null where nobody can say",
}
