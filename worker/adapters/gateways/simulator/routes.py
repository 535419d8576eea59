"""Which request means what: the wallet's endpoint and the simulator's own reports and switches."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from worker.adapters.gateways.simulator.behaviours import BehaviourError, parse_script
from worker.adapters.gateways.simulator.deliveries import Deliveries
from worker.adapters.gateways.simulator.exchange import HTML, Reply, Request, Response, json_response, text_response
from worker.adapters.gateways.simulator.gateway import SimulatedGateway
from worker.adapters.gateways.simulator.reports import (
    Standing,
    counts_report,
    customer_report,
    html_page,
    message_report,
    page_report,
)
from worker.contract.errors import ContractViolationError
from worker.contract.parsing import parse

SEND_PATH = "/v2/platform/message/send"
INQUIRY_PATH = "/v2/platform/message/inquiry"

_Handler = Callable[[Request], Reply]


class _Switch(BaseModel):
    """The body of `POST /behaviour`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    behaviour: str | None


class _DeliveriesQuery(BaseModel):
    """The query of `GET /deliveries`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messageId: str | None = None  # noqa: N815 - the API's own spelling
    customerId: str | None = None  # noqa: N815
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


_QUERY = TypeAdapter(_DeliveriesQuery)


class Routes:
    """Answers every request that the simulator can get."""

    def __init__(self, gateway: SimulatedGateway, deliveries: Deliveries, in_flight: Callable[[], int]) -> None:
        """Serve `gateway` and report on `deliveries`; `in_flight` counts the calls that wait for an answer."""
        self._gateway = gateway
        self._deliveries = deliveries
        self._in_flight = in_flight
        self._handlers: Mapping[str, Mapping[str, _Handler]] = {
            SEND_PATH: {"POST": self._send},
            INQUIRY_PATH: {"POST": self._inquire},
            "/counts": {"GET": self._counts},
            "/deliveries": {"GET": self._list_deliveries},
            "/behaviour": {"POST": self._switch},
            "/reset": {"POST": self._reset},
            "/healthz": {"GET": self._health},
            "/": {"GET": self._page},
        }

    def serve(self, request: Request) -> Reply:
        """Return what follows a request."""
        if request.fault is not None:
            return text_response(request.fault, request.fault.phrase)
        methods = self._handlers.get(request.target.partition("?")[0])
        if methods is None:
            return text_response(HTTPStatus.NOT_FOUND, f"not found; wallet calls go to POST {SEND_PATH}")
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = ", ".join(methods)
            return text_response(HTTPStatus.METHOD_NOT_ALLOWED, f"use {allowed}", {"Allow": allowed})
        return handler(request)

    def _send(self, request: Request) -> Reply:
        return self._gateway.answer(request.body)

    def _inquire(self, request: Request) -> Reply:
        return self._gateway.inquire(request.body)

    def _counts(self, _: Request) -> Response:
        return json_response(counts_report(self._deliveries, self._standing()))

    def _page(self, _: Request) -> Response:
        counts = counts_report(self._deliveries, self._standing())
        return Response(HTTPStatus.OK, html_page(counts).encode(), HTML)

    def _standing(self) -> Standing:
        return Standing(self._in_flight(), self._gateway.everybody)

    def _list_deliveries(self, request: Request) -> Response:
        try:
            query = _QUERY.validate_python(dict(parse_qsl(request.target.partition("?")[2])))
        except ValidationError:
            rule = "use messageId=, customerId=, or after= (a number from 0) and limit= (1 to 1000)"
            return text_response(HTTPStatus.BAD_REQUEST, rule)
        if query.messageId is not None:
            return json_response(message_report(self._deliveries, query.messageId))
        if query.customerId is not None:
            return json_response(customer_report(self._deliveries, query.customerId))
        return json_response(page_report(self._deliveries, query.after, query.limit))

    def _switch(self, request: Request) -> Response:
        try:
            script = parse(_Switch, request.body).behaviour
            self._gateway.everybody = None if script is None else parse_script(script)
        except (ContractViolationError, BehaviourError) as error:
            return text_response(HTTPStatus.BAD_REQUEST, str(error))
        return json_response({"behaviour": script})

    def _reset(self, _: Request) -> Response:
        self._deliveries.reset()
        self._gateway.everybody = None
        return json_response({"reset": True})

    def _health(self, _: Request) -> Response:
        return json_response({"status": "ok"})
