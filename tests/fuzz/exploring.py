"""Schemathesis' own exploration of the document, by Hypothesis, against a real server."""

from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.servers import HOST, ApiServer

_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Exploration:
    """How many requests were made, and what was wrong."""

    def __init__(self, api: ApiServer, seed: int) -> None:
        """Read the server's document."""
        self.done = 0
        self.faults: list[str] = []
        self._url = f"http://{HOST}:{api.port}"
        self._seed = seed
        self._documented = schemathesis.openapi.from_dict(api.get("/openapi.json").body)

    def run(self, inputs: int) -> None:
        """Make about so many requests, by turns such as the document describes and such as it does not."""
        strategies = list(self._strategies())
        for name, strategy in strategies:
            try:
                self._explore(strategy, max(1, inputs // len(strategies)))
            except Exception as error:  # noqa: BLE001 - whatever a check found, told with the shrunk request
                self.faults.append(f"{name}: {error}")

    def _strategies(self) -> Iterator[tuple[str, Any]]:
        for found in self._documented.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]  # the document is valid
            yield operation.label, operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            if operation.body:
                yield f"{operation.label}, negative", operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    def _explore(self, strategy: Any, examples: int) -> None:  # noqa: ANN401 - untyped in schemathesis
        @seeded(self._seed)
        @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def each(case: "schemathesis.Case[Any]") -> None:
            self.done += 1
            response = case.call_and_validate(base_url=self._url, checks=_CHECKS)
            assert b'"resultStatus":"U"' not in response.content[:400], response.content[:400]

        each()
