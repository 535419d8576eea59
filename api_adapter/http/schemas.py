"""The parts that schemas of the OpenAPI document are put together from."""

from api_adapter.inquiries import Json

REF = "#/components/schemas/{model}"
TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
MOMENT: Json = {"type": ["integer", "null"], "description": "milliseconds since 1970"}
RESULT: Json = {"$ref": REF.format(model="Result")}
"""The `result` that every answer has."""


def object_schema(properties: Json, required: list[str] | None = None) -> Json:
    """Return the schema of an object; without `required` every property is."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }


def array_schema(items: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": items}
