"""A dead letter's card, the line of its index: read as a DeadLetter, and what a query looks for in it."""

import re

from worker.contract.dead_letters import DeadChannel, DeadLetter, DeadLetterQuery, Position, label
from worker.contract.messages import Channel, DeliveryState, Lane

_MAGIC = re.compile(r"([^A-Za-z0-9_])")
_LAST, _FIRST = "+", "-"
"""Where the whole index ends and begins, to ZRANGE BYLEX."""


def read_card(card: str) -> DeadLetter:
    """Return the dead letter that a card of `index_dead_letters.lua` tells of."""
    place, *parts = card.split()
    died_at, _, message_id = place.partition("#")
    fields = dict(part.split("=", 1) for part in parts)
    return DeadLetter(
        message_id=message_id,
        app_id=fields["app"],
        request_id=fields["req"],
        lane=Lane(fields["lane"]),
        template_code=fields["tpl"],
        template_version=int(fields["ver"]),
        cause=fields["cause"],
        died_at=int(died_at),
        channels=tuple(_channel(channel, fields[channel]) for channel in Channel if channel in fields),
    )


def _channel(channel: Channel, field: str) -> DeadChannel:
    state, code, gateway = field.split("|")
    return DeadChannel(channel, DeliveryState(state), code, gateway)


def bounds(query: DeadLetterQuery, after: Position | None) -> tuple[str, str]:
    """Return between which members of the index a search looks: from, exclusively, down to."""
    upper = [] if query.died_until is None else [f"({query.died_until + 1:013d}"]
    if after is not None:
        upper.append(f"({after.died_at:013d}#{after.message_id}")
    return min(upper, default=_LAST), _FIRST if query.died_from is None else f"[{query.died_from:013d}"


def texts(query: DeadLetterQuery) -> list[str]:
    """Return texts that a card must hold, each as a whole."""
    fields = (
        ("cause", query.cause),
        ("app", query.app_id),
        ("req", query.request_id),
        ("tpl", query.template_code),
    )
    wanted = [f" {name}={value} " for name, value in fields if value is not None]
    # These alone would also fit another channel's code; the pattern tells, and they spare most cards the pattern.
    if query.code is not None:
        wanted.append(f"|{label(query.code)}|")
    if query.gateway is not None:
        wanted.append(f"|{label(query.gateway)} ")
    return wanted


def pattern(query: DeadLetterQuery) -> str:
    """Return the Lua pattern of a channel that was given up and is the wanted one; empty: any card fits."""
    if not query.asks_of_channels:
        return ""
    channel = query.channel or "%u+"
    code = "[^|]*" if query.code is None else _literally(label(query.code))
    gateway = "%S*" if query.gateway is None else _literally(label(query.gateway))
    return f" {channel}=[FU]|{code}|{gateway} "


def _literally(text: str) -> str:
    return _MAGIC.sub(r"%\1", text)
