"""What the simulator says of itself: counts and deliveries as JSON objects, and a page for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import orjson
from pydantic_core import from_json

from worker.adapters.gateways.simulator.behaviours import Behaviour
from worker.adapters.gateways.simulator.calls import shown
from worker.adapters.gateways.simulator.deliveries import Deliveries, Delivery
from worker.contract.messages import Channel


@dataclass(frozen=True, slots=True)
class Standing:
    """What the connections and the switch say at this moment."""

    in_flight: int
    """Calls that wait for their answer, perhaps in vain."""
    everybody: Behaviour | None
    """The behaviour in force for everybody."""


def counts_report(deliveries: Deliveries, standing: Standing) -> dict[str, Any]:
    """Return the answer of `GET /counts`; the fields are those of `deliveries.Counts`."""
    counts = deliveries.counts
    return {
        "calls": counts.calls,
        "inquiries": counts.inquiries,
        "rejectedCalls": counts.rejected_calls,
        "inFlight": standing.in_flight,
        "messages": counts.messages,
        "keys": deliveries.keys,
        "delivered": counts.delivered,
        "deliveredKeys": counts.delivered_keys,
        "deliveredTwice": counts.delivered_twice,
        "repeatedCalls": counts.repeated_calls,
        "byChannel": {
            str(channel): {
                "messages": counts.messages_by_channel.get(channel, 0),
                "delivered": counts.delivered_by_channel.get(channel, 0),
            }
            for channel in Channel
        },
        "byBehaviour": {str(name): number for name, number in sorted(counts.messages_by_behaviour.items())},
        "behaviour": standing.everybody.script if standing.everybody else None,
    }


def message_report(deliveries: Deliveries, message_id: str) -> dict[str, Any]:
    """Return what became of one messageId."""
    tally = deliveries.tally(message_id)
    return {
        "messageId": message_id,
        "calls": tally.calls,
        "delivered": tally.delivered,
        "deliveries": deliveries_report(deliveries, deliveries.of_message(message_id)),
    }


def customer_report(deliveries: Deliveries, customer_id: str) -> dict[str, Any]:
    """Return what one user got."""
    kept = deliveries_report(deliveries, deliveries.of_customer(customer_id))
    return {"customerId": customer_id, "deliveries": kept}


def page_report(deliveries: Deliveries, after: int, limit: int) -> dict[str, Any]:
    """Return one page of deliveries; `next` is None on the last."""
    page = deliveries.page(after, limit)
    has_more = bool(page) and page[-1].number < deliveries.counts.delivered
    return {
        "deliveries": deliveries_report(deliveries, page),
        "next": page[-1].number if has_more else None,
    }


def deliveries_report(deliveries: Deliveries, chosen: Iterable[Delivery]) -> list[dict[str, Any]]:
    """Return what users saw, with how often each messageId was called and delivered until now."""
    return [_delivery_report(deliveries, delivery) for delivery in chosen]


def _delivery_report(deliveries: Deliveries, delivery: Delivery) -> dict[str, Any]:
    message = delivery.message
    tally = deliveries.tally(message["messageId"])
    seen = shown(message["messageChannel"], message["messageContent"])
    return {
        "number": delivery.number,
        "time": delivery.at,
        "messageId": message["messageId"],
        "customerId": message["customerId"],
        "channel": message["messageChannel"],
        "templateCode": message["templateCode"],
        "title": seen["title"],
        "body": seen["content"],
        "messageContent": from_json(message["messageContent"]),
        "redirectUrl": message["redirectUrl"],
        "extendInfo": message["extendInfo"],
        "calls": tally.calls,
        "delivered": tally.delivered,
    }


def html_page(counts: dict[str, Any]) -> str:
    """Return a page that shows the counts and loads itself again every two seconds."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{_cell(value)}</td></tr>\n" for name, value in counts.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        "<title>tidings gateway simulator</title>\n"
        "<style>body{font-family:sans-serif;margin:2rem}th{text-align:left;padding-right:2rem}</style></head>\n"
        f"<body><h1>Gateway simulator</h1>\n<table>\n{rows}</table>\n"
        '<p><a href="/deliveries">deliveries</a> <a href="/counts">counts as JSON</a></p></body>\n</html>\n'
    )


def _cell(value: object) -> str:
    return escape(orjson.dumps(value).decode()) if isinstance(value, dict) else escape(str(value))
