"""Which notices the demo sends, to whom, which way in, and how each must end. Pure; the same for the same number."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from api_adapter.demo.faults import FAULTS, WALLETS, Fault
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel
from worker.contract.users import SEND_SCOPE, TokenGrant, User

APP_ID = "demo-app"
CLIENT_ID = "demo"
FEWEST = 50
"""Notices below which the faults would outnumber the others."""

_HEALTHY_CUSTOMERS = 90
_OPTED_OUT_EVERY = 7
_READERS = (("en-US", "en"), ("zh-CN", "zh"), ("ja-JP", "ja"))
_TEXTS = {
    "en-US": {"who": "Maria Santos", "amount": "$12.50", "shop": "Noodle Bar", "time": "12:30"},
    "zh-Hans": {"who": "小明", "amount": "¥88.00", "shop": "面馆", "time": "12:30"},
    "ja-JP": {"who": "ゆき", "amount": "1,200円", "shop": "麺屋", "time": "12時30分"},
}


class Via(StrEnum):
    """A way in."""

    HTTP = "http"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Person:
    """A user of a wallet whom the demo writes to."""

    user: User
    fault: Fault | None

    @property
    def token(self) -> str:
        """The access token that a merchant has of this user."""
        return f"token-{self.user.customer_id}"

    @property
    def grant(self) -> TokenGrant:
        """What the token grants."""
        return TokenGrant(self.user, APP_ID, frozenset({SEND_SCOPE}), None)


@dataclass(frozen=True, slots=True)
class Notice:
    """One payment notice."""

    request_id: str
    person: Person
    via: Via

    @property
    def ends(self) -> ResultStatus:
        """How it must end, as a whole and on each channel."""
        return self.person.fault.ends if self.person.fault else ResultStatus.S

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that its user gets it on."""
        return tuple(channel for channel in Channel if channel not in self.person.user.opted_out)

    @property
    def fault(self) -> str:
        """What its gateway does, for people."""
        return self.person.fault.says if self.person.fault else "no fault of its own"

    @property
    def body(self) -> bytes:
        """The send, in all languages that the merchant writes."""
        send = {
            "appId": APP_ID,
            "accessToken": self.person.token,
            "requestId": self.request_id,
            "templateCode": "PAYMENT_NOTICE",
            "redirectUrl": f"/pages/bill/{self.request_id}",
            "templates": [{"language": tag, "templateParameters": texts} for tag, texts in _TEXTS.items()],
            "customerBelongsTo": self.person.user.wallet,
        }
        return orjson.dumps(send)


def notices(messages: int) -> tuple[Notice, ...]:
    """Return so many notices, at least FEWEST, with the faults spread evenly among them."""
    return tuple(
        Notice(f"demo-{index + 1:05d}", _person(index, fault), Via.BATCH if index % 2 else Via.HTTP)
        for index, fault in enumerate(_spread(messages))
    )


def people(planned: Sequence[Notice]) -> tuple[Person, ...]:
    """Return everybody whom the notices go to, once."""
    return tuple({notice.person.token: notice.person for notice in planned}.values())


def _spread(messages: int) -> list[Fault | None]:
    counts: list[tuple[Fault | None, int]] = [(fault, fault.count(messages)) for fault in FAULTS]
    counts.append((None, messages - sum(count for _, count in counts)))
    places = [((number + 0.5) / count, order) for order, (_, count) in enumerate(counts) for number in range(count)]
    return [counts[order][0] for _, order in sorted(places)]


def _person(index: int, fault: Fault | None) -> Person:
    languages = _READERS[index % len(_READERS)]
    opted_out = frozenset({Channel.PUSH}) if index % _OPTED_OUT_EVERY == 0 else frozenset[Channel]()
    if fault is None:
        number = index % _HEALTHY_CUSTOMERS
        wallet = WALLETS[number % len(WALLETS)]
        customer = f"{languages[1]}-{'inbox' if opted_out else 'both'}-{number}"
    else:
        wallet = fault.wallet
        customer = f"sim-{fault.script}-{languages[1]}-{'inbox' if opted_out else 'both'}"
    return Person(User(customer, wallet, languages[:1], opted_out), fault)
