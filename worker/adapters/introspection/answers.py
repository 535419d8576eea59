"""What an introspection answer (RFC 7662, section 2.2) grants. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
import structlog
from pydantic_core import PydanticCustomError

from worker.adapters.introspection.errors import NotIntrospectedError
from worker.contract.field_types import normal_language
from worker.contract.introspection import MemberNames
from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours, known_time_zone
from worker.contract.users import SEND_SCOPE, TokenGrant, User

LONGEST_CUSTOMER_ID = 32
"""Characters (R66)."""
_LONGEST_EXPIRY = 2**53
"""Seconds since 1970: what a JSON number holds."""
_SEPARATORS = re.compile(r"[\s,]+")

log = structlog.get_logger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Turns answers into grants."""

    names: MemberNames = field(default_factory=MemberNames)
    wallet: str = ""
    """Of users whose answer names none."""
    scope: str = SEND_SCOPE
    """What the authorization server calls the scope SEND_MESSAGE."""
    _ignored: set[str] = field(default_factory=set)
    """Members that could not be read; each is logged once."""

    def read(self, body: bytes) -> TokenGrant | None:
        """Return what a token grants, None for one that is not active.

        Raises NotIntrospectedError for an answer that does not say it: the text names the member, never a value.
        """
        answer = _Answer(body)
        if not answer.is_active:
            return None
        names = self.names
        user = User(
            customer_id=answer.text(names.customerId, "customerId", LONGEST_CUSTOMER_ID),
            wallet=answer.text(names.wallet, "wallet") if not self.wallet or answer.has(names.wallet) else self.wallet,
            languages=tuple(self._each(answer, names.languages, normal_language)),
            opted_out=frozenset(self._each(answer, names.optedOut, _channel)),
            time_zone=self._one(answer, names.timeZone, known_time_zone),
            quiet_hours=self._one(answer, names.quietHours, QuietHours.parse),
        )
        scopes = frozenset(answer.words("scope"))
        granted = scopes | {SEND_SCOPE} if self.scope in scopes else scopes - {SEND_SCOPE}
        return TokenGrant(user, answer.text(names.appId, "appId"), granted, answer.expires_at)

    def _each(self, answer: "_Answer", name: str, read: Callable[[str], Value]) -> list[Value]:
        words = answer.words(name)
        return [value for word in words if (value := self._preference(name, read, word)) is not None]

    def _one(self, answer: "_Answer", name: str, read: Callable[[str], Value]) -> Value | None:
        value = answer.find(name)
        return None if value is None else self._preference(name, read, str(value))

    def _preference(self, name: str, read: Callable[[str], Value], word: str) -> Value | None:
        """Return a word as it is meant; a user's preference that nobody can read keeps no message back."""
        try:
            return read(word)
        except (ValueError, PydanticCustomError):
            if name not in self._ignored:
                self._ignored.add(name)
                log.warning("introspection_member_ignored", member=name, reason="holds no value of its kind")
            return None


def _channel(name: str) -> Channel:
    return Channel(name.upper())


class _Answer:
    """The members of one answer."""

    def __init__(self, body: bytes) -> None:
        try:
            members = orjson.loads(body)
        except ValueError:
            members = None
        if not isinstance(members, Mapping) or not isinstance(members.get("active"), bool):
            raise NotIntrospectedError(
                "what answers at TIDINGS_INTROSPECTION_URL is no introspection: its answer is no JSON object with "
                "the member active, true or false"
            )
        self._members: Mapping[str, Any] = members

    @property
    def is_active(self) -> bool:
        return self._members["active"] is True

    @property
    def expires_at(self) -> int | None:
        """Milliseconds since 1970."""
        seconds = self._members.get("exp")
        if seconds is None:
            return None
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= _LONGEST_EXPIRY:
            raise NotIntrospectedError("the introspection answer's member exp is no number of seconds since 1970")
        return int(seconds * 1000)

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def text(self, name: str, meaning: str, longest: int = 64) -> str:
        """Return a string that has to be there."""
        value = self.find(name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise NotIntrospectedError(
                f"the introspection answer's member {name!r} is no string of 1 to {longest} characters; it is the "
                f"{meaning}, see TIDINGS_INTROSPECTION_MEMBERS"
            )
        return value

    def words(self, name: str) -> list[str]:
        """Return the words of an array or of a string; none where there is no such member."""
        value = self.find(name)
        if isinstance(value, str):
            return [word for word in _SEPARATORS.split(value) if word]
        words = [] if value is None else value
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise NotIntrospectedError(f"the introspection answer's member {name!r} is neither a string nor an array")
        return words

    def find(self, name: str) -> object:
        """Return a member, None where there is none."""
        if not name.startswith("/"):
            return self._members.get(name)
        found: Any = self._members
        for part in name.split("/")[1:]:
            if not isinstance(found, Mapping):
                return None
            found = found.get(part.replace("~1", "/").replace("~0", "~"))
        return found
