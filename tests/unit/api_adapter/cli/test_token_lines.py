"""What is given of an access token."""

from typing import Any

import orjson
import pytest

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.token_lines import read_line, read_options
from worker.contract.errors import ContractViolationError
from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import SEND_SCOPE, TokenGrant, User

NOW = 1_700_000_000_000
DAY = 86_400_000


def fields(**replaced: object) -> dict[str, Any]:
    whole = {"accessToken": "token-1", "appId": "3333", "customerId": "2088", "wallet": "GCASH"}
    return {name: value for name, value in (whole | replaced).items() if value is not None}


def line(**replaced: object) -> bytes:
    return orjson.dumps(fields(**replaced))


def test_what_is_required_grants_sends_for_ever() -> None:
    expected = TokenGrant(User("2088", "GCASH"), "3333", frozenset({SEND_SCOPE}), None)

    assert read_line(line()).grant(NOW) == expected


def test_everything_there_is_becomes_the_grant() -> None:
    given = line(
        languages=["en_us", "JA"],
        optedOut=["PUSH"],
        timeZone="Asia/Manila",
        quietHours="22:00-07:30",
        scopes=["AUTH"],
        expiresAt="2031-05-01T12:00:00Z",
    )

    quiet = QuietHours(22 * 60, 7 * 60 + 30)
    user = User("2088", "GCASH", ("en-US", "ja"), frozenset({Channel.PUSH}), "Asia/Manila", quiet)
    assert read_line(given).grant(NOW) == TokenGrant(user, "3333", frozenset({"AUTH"}), 1_935_403_200_000)


@pytest.mark.parametrize(("expiry", "at"), [({"expiresIn": "1d"}, NOW + DAY), ({"expiresAt": NOW}, NOW)])
def test_a_token_expires_at_a_time_or_after_one(expiry: dict[str, object], at: int) -> None:
    assert read_line(line(**expiry)).grant(NOW).expires_at == at


@pytest.mark.parametrize(
    ("replaced", "fault"),
    [
        ({"appId": None, "wallet": None}, r"\$\.appId: is required; \$\.wallet: is required"),
        ({"accessToken": "hush hush"}, r"\$\.accessToken: must not contain"),
        ({"accessToken": "hush" * 40}, r"\$\.accessToken: must have at most 128 characters"),
        ({"customerId": "x" * 33}, r"\$\.customerId: must have at most 32 characters"),
        ({"customerId": "a\x1bb"}, r"\$\.customerId"),
        ({"languages": ["en", "!"]}, r"\$\.languages\[1\]: is not a BCP 47 language tag"),
        ({"optedOut": ["SMS"]}, r"\$\.optedOut\[0\]: .*PUSH"),
        ({"timeZone": "hush"}, r"\$\.timeZone: must be a time zone such as Asia/Manila"),
        ({"timeZone": "UTC", "quietHours": "hush"}, r"\$\.quietHours: must be hours such as 22:00-07:00"),
        ({"quietHours": "22:00-07:00"}, r"\$: quietHours: timeZone is required with them"),
        ({"expiresIn": "soon"}, r"\$\.expiresIn: must be a duration such as 30s"),
        ({"expiresAt": "soon"}, r"\$\.expiresAt: must be a time with offset"),
        ({"expiresAt": NOW, "expiresIn": "1d"}, r"\$: expiresAt and expiresIn: give one of them"),
        ({"custmerId": "2088"}, r"\$\.custmerId: "),
    ],
)
def test_a_faulty_line_names_the_field_and_never_the_value(replaced: dict[str, object], fault: str) -> None:
    with pytest.raises(ContractViolationError, match=fault) as violation:
        read_line(line(**replaced))
    assert "hush" not in str(violation.value)


@pytest.mark.parametrize(
    ("replaced", "fault"),
    [
        ({"customerId": None, "languages": ["!"]}, "--customer-id: is required; --language: is not a BCP 47"),
        ({"accessToken": "hush hush"}, "TOKEN: must not contain"),
        ({"quietHours": "22:00-07:00"}, "--quiet-hours: --time-zone is required"),
        ({"expiresAt": "1", "expiresIn": "1d"}, "--expires-at and --expires-in: give one of them"),
    ],
)
def test_faulty_options_are_named_as_options(replaced: dict[str, object], fault: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{fault}") as refusal:
        read_options(fields(**replaced))
    assert "hush" not in str(refusal.value)


def test_options_that_were_not_given_count_for_nothing() -> None:
    not_given: dict[str, object] = {"languages": None, "optedOut": [], "scopes": None, "expiresIn": None}

    assert read_options(fields() | not_given) == read_line(line())
