"""What there is to call, as the OpenAPI document says; and instances of its schemas, drawn at random."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_DEEPEST = 8
_MOST_ITEMS = 6


class Operation(NamedTuple):
    """One operation of the API."""

    method: str
    path: str
    """With its parameters in braces."""
    bodies: Mapping[str, Json]
    """Schema of the body by content type; empty where it takes none."""
    parameters: tuple[Json, ...]
    has_results: bool
    """Whether every answer has a `result`, as all but the probes' and files have."""


class Surface:
    """All operations of a document."""

    def __init__(self, document: Json) -> None:
        """Read the document."""
        self._schemas: Mapping[str, Json] = document["components"]["schemas"]
        self.operations = list(_operations(document))
        self.row: Json = self._schemas["SendRequest"]
        """What a line of an upload is."""

    def instance(
        self, schema: Json, draw: Random, known: Mapping[str, list[Json]], name: str = "", depth: int = 0
    ) -> Json:
        """Return a value that mostly is as the schema says.

        Args:
            schema: JSON Schema, or True for any value.
            draw: where chance comes from.
            known: values that mean something, by the name of their field; others are made up.
            name: of the field.
            depth: of the field.

        """
        schema = self._resolved(schema, draw)
        if name in known and draw.random() < 0.9:
            return draw.choice(known[name])
        if choices := [schema["const"]] if "const" in schema else schema.get("enum"):
            return draw.choice(choices)
        match _kind(schema, draw):
            case "object":
                return self._object(schema, draw, known, depth)
            case "array":
                return self._array(schema, draw, known, name, depth)
            case kind:
                return _scalar(kind, schema, draw)

    def _resolved(self, schema: Json, draw: Random) -> Mapping[str, Json]:
        while isinstance(schema, dict):
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rpartition("/")[2]]
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                schema = draw.choice(choices)
            elif "allOf" in schema:
                schema = schema["allOf"][0]
            else:
                return schema
        return {}

    def _object(self, schema: Mapping[str, Json], draw: Random, known: Mapping[str, list[Json]], depth: int) -> Json:
        required = schema.get("required", ())
        found = {
            field: self.instance(inner, draw, known, field, depth + 1)
            for field, inner in schema.get("properties", {}).items()
            if field in required or (depth < _DEEPEST and draw.random() < 0.4)
        }
        if "additionalProperties" in schema and depth < _DEEPEST:
            for _ in range(draw.randint(0, 3)):
                more = schema["additionalProperties"]
                found[draw.choice(known["parameter"])] = self.instance(more, draw, known, "", depth + 1)
        return found

    def _array(
        self, schema: Mapping[str, Json], draw: Random, known: Mapping[str, list[Json]], name: str, depth: int
    ) -> Json:
        most = min(schema.get("maxItems", _MOST_ITEMS), _MOST_ITEMS)
        number = draw.randint(min(schema.get("minItems", 0), most), most) if depth < _DEEPEST else 0
        singular = name.removesuffix("s")
        return [self.instance(schema.get("items", {}), draw, known, singular, depth + 1) for _ in range(number)]


def _operations(document: Json) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in _METHODS & methods.keys():
            found = methods[method]
            content = found.get("requestBody", {}).get("content", {})
            bodies = {kind: media.get("schema", {}) for kind, media in content.items()}
            yield Operation(
                method.upper(), path, bodies, tuple(found.get("parameters", ())), _has_results(document, found)
            )


def _has_results(document: Json, operation: Json) -> bool:
    content = operation["responses"].get("200", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return content.keys() == {"application/json"} and "result" in schema.get("required", ())


def _kind(schema: Mapping[str, Json], draw: Random) -> str:
    kind = schema.get("type", "null")
    return str(draw.choice(kind) if isinstance(kind, list) else kind)


def _scalar(kind: str, schema: Mapping[str, Json], draw: Random) -> Json:
    match kind:
        case "string":
            return _text(schema, draw)
        case "integer" | "number":
            low = int(schema.get("minimum", schema.get("exclusiveMinimum", -5)))
            return draw.randint(low, max(low, int(schema.get("maximum", low + 1_000_000))))
        case "boolean":
            return draw.random() < 0.5
        case _:
            return None


def _text(schema: Mapping[str, Json], draw: Random) -> str:
    least, most = schema.get("minLength", 0), min(schema.get("maxLength", 24), 5_000)
    length = draw.choice((least, most, draw.randint(least, max(least, min(most, 24)))))
    return "".join(draw.choices("abcXYZ019-_.é客😀", k=length))
