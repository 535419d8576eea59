"""A dead letter's card, the line of its index: read as a DeadLetter, and what a query looks for in it."""

import re
from collections.abc import Iterator, Mapping

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
        channels=tuple(_channels(fields)),
    )


def _channels(fields: Mapping[str, str]) -> Iterator[DeadChannel]:
    for channel in Channel:
        if channel in fields:
            state, code, gateway = fields[channel].split("|")
            yield DeadChannel(channel, DeliveryState(state), code, gateway)
        elif channel.lower() in fields:
            state, _, gateway = fields[channel.lower()].partition("~")
            yield DeadChannel(channel, DeliveryState(state), "", gateway)


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
    # These would also fit a mixture of both channels: the pattern tells, and they spare most cards the pattern.
    if query.channel is not None:
        wanted.append(f" {query.channel}=")
    if query.code is not None:
        wanted.append(f"|{label(query.code)}|")
    if query.gateway is not None:
        wanted.append(f"|{label(query.gateway)} ")
    return wanted


def pattern(query: DeadLetterQuery) -> str:
    """Return the Lua pattern of a given-up channel that is the wanted one; empty: `texts` say it all."""
    if query.code is query.gateway is None:
        return ""
    channel = query.channel or "%u+"
    code = "[^|]*" if query.code is None else _literally(label(query.code))
    gateway = "%S*" if query.gateway is None else _literally(label(query.gateway))
    return f" {channel}=[FU]|{code}|{gateway} "


def _literally(text: str) -> str:
    return _MAGIC.sub(r"%\1", text)
