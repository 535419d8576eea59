"""Settings handed down to the parts of a stack, which read them from their environment."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr

from worker.settings import PREFIX, Settings


def environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that shall have exactly these settings.

    What is inherited stays, but for every TIDINGS_ variable: a part never sees other settings than its starter.
    """
    others = {name: value for name, value in inherited.items() if not name.upper().startswith(PREFIX)}
    ours = {f"{PREFIX}{name.upper()}": _text(getattr(settings, name)) for name in Settings.model_fields}
    return others | ours


def _text(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value.absolute())
        case dict():
            return json.dumps(value)
        case tuple():
            return ",".join(map(str, value))
        case BaseModel():
            return value.model_dump_json()
        case _:
            return str(value)
