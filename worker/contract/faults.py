"""What is wrong with a request, in words: the JSON path and the rule, never the value (CONTRACT R32)."""

import re
from typing import Any

from pydantic_core import ErrorDetails

_WHOLE = "must be a whole number"
_RULES: dict[str, str] = {
    "missing": "is required",
    "string_type": "must be a string",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "dataclass_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": "must not contain @, #, ?, white space or control characters",
    "string_unicode": "must be valid Unicode",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "bool_type": "must be true or false",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "json_invalid": "the body is not valid JSON",
}
_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def fault(detail: ErrorDetails) -> str:
    """Return the path of what pydantic found and the rule that it breaks, such as `$.appId: is required`."""
    context: dict[str, Any] = detail.get("ctx") or {}
    rule = _RULES.get(detail["type"])
    text = detail["msg"] if rule is None else rule.format_map(context)
    return f"{json_path(detail['loc'])}: {text}"


def json_path(location: tuple[int | str, ...]) -> str:
    """Return `$.templates[0].language` for a pydantic location; a part that is no plain name is shown as `[*]`."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{part}" if _SAFE_NAME.fullmatch(part) else "[*]"
        for part in location
    )
    return "$" + "".join(parts)
