"""What introspection answers grant (CONTRACT R37, R64)."""

import orjson
import pytest
from structlog.testing import capture_logs

from tests.authorization_server import active
from worker.adapters.introspection.answers import AnswerReader
from worker.adapters.introspection.errors import NotIntrospectedError
from worker.contract.introspection import MemberNames
from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import SEND_SCOPE, TokenGrant, User

APP = "3333010071465913"
CUSTOMER = "2088000000000001"


def read(reader: AnswerReader | None = None, /, **members: object) -> TokenGrant | None:
    return (reader or AnswerReader()).read(orjson.dumps(active(**members)))


def user(**members: object) -> User:
    grant = read(**members)
    assert grant is not None
    return grant.user


def test_R64_what_is_required_grants_sends_until_the_server_says_otherwise() -> None:
    assert read() == TokenGrant(User(CUSTOMER, "GCASH"), APP, frozenset({SEND_SCOPE}), None)


def test_R64_everything_there_is_becomes_the_grant() -> None:
    grant = read(
        exp=1_800_000_000,
        scope="openid SEND_MESSAGE",
        locale="zh_hant",
        opted_out=["INBOX"],
        zoneinfo="Asia/Manila",
        quiet_hours="22:00-07:00",
    )

    expected = User(CUSTOMER, "GCASH", ("zh-Hant",), frozenset({Channel.INBOX}), "Asia/Manila", QuietHours(1320, 420))
    assert grant == TokenGrant(expected, APP, frozenset({"openid", SEND_SCOPE}), 1_800_000_000_000)


@pytest.mark.parametrize("body", [b'{"active":false}', b'{"active":false,"sub":"2088","exp":1}'])
def test_R37_a_token_that_is_not_active_grants_nothing(body: bytes) -> None:
    assert AnswerReader().read(body) is None


@pytest.mark.parametrize("locale", ["en-US ja", "en-us, ja", ["EN_us", "ja"], ["en-US", "!", "ja"]])
def test_R64_languages_are_an_array_or_a_text_and_the_unreadable_ones_are_left_out(locale: object) -> None:
    assert user(locale=locale).languages == ("en-US", "ja")


@pytest.mark.parametrize("opted_out", ["PUSH", "push SMS", ["PUSH"], ["PUSH", "SMS"]])
def test_R64_only_our_channels_can_be_opted_out_of(opted_out: object) -> None:
    assert user(opted_out=opted_out).opted_out == {Channel.PUSH}


def test_R64_a_preference_that_nobody_can_read_is_left_out_and_logged_once_without_its_value() -> None:
    reader = AnswerReader()

    with capture_logs() as logs:
        grants = [read(reader, zoneinfo="hush/hush", quiet_hours=["hush"]) for _ in range(3)]

    assert grants == [read()] * 3
    assert [line["member"] for line in logs] == ["zoneinfo", "quiet_hours"]
    assert "hush" not in str(logs)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        (None, set()),
        ("", set()),
        ("openid", {"openid"}),
        ("message.send", {"message.send", SEND_SCOPE}),
        (SEND_SCOPE, set()),
    ],
)
def test_R37_the_scope_that_permits_sends_has_the_servers_own_name(scope: object, scopes: set[str]) -> None:
    grant = read(AnswerReader(scope="message.send"), scope=scope)

    assert grant is not None
    assert grant.scopes == scopes


def test_R64_the_wallet_of_the_settings_stands_in_where_the_answer_names_none() -> None:
    reader = AnswerReader(wallet="TNG")

    grants = [read(reader, wallet=wallet) for wallet in (None, "GCASH")]

    assert [grant.user.wallet for grant in grants if grant is not None] == ["TNG", "GCASH"]


def test_R64_members_have_the_names_of_the_settings_and_may_be_nested() -> None:
    names = MemberNames(customerId="/ext/user/id", wallet="https://as.test/wallet", appId="aud", languages="/a~1b/~0c")
    members = {
        "sub": None,
        "wallet": None,
        "client_id": None,
        "ext": {"user": {"id": "77"}},
        "https://as.test/wallet": "DANA",
        "aud": ["cafe"],
        "a/b": {"~c": "ja"},
    }

    assert read(AnswerReader(names), **members) == TokenGrant(
        User("77", "DANA", ("ja",)), "cafe", frozenset({SEND_SCOPE}), None
    )


def test_R64_a_member_without_a_name_is_not_looked_for() -> None:
    names = MemberNames(languages="", optedOut="", timeZone="", quietHours="")

    assert read(AnswerReader(names), locale="ja", opted_out="PUSH", zoneinfo="UTC", quiet_hours="22:00-07:00") == read()


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"sub": None}, "'sub' .* customerId"),
        ({"sub": ""}, "'sub'"),
        ({"sub": "hush" * 8 + "x"}, "'sub' is no string of 1 to 32 characters"),
        ({"sub": 2088}, "'sub'"),
        ({"wallet": None}, "'wallet'"),
        ({"wallet": {"hush": 1}}, "'wallet'"),
        ({"client_id": ["hush", "hush"]}, "'client_id' .* appId, see TIDINGS_INTROSPECTION_MEMBERS"),
        ({"client_id": []}, "'client_id'"),
        ({"scope": {"hush": 1}}, "'scope'"),
        ({"locale": 1}, "'locale'"),
        ({"opted_out": {"PUSH": True}}, "'opted_out'"),
        ({"opted_out": ["PUSH", 1]}, "'opted_out'"),
        ({"exp": "hush"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": -1}, "exp"),
        ({"exp": 2**53 + 1}, "exp"),
    ],
)
def test_R31_an_answer_that_does_not_say_what_is_needed_grants_and_denies_nothing(
    members: dict[str, object], named: str
) -> None:
    with pytest.raises(NotIntrospectedError, match=named) as unreadable:
        read(**members)
    assert "hush" not in str(unreadable.value)


def test_R66_a_customer_id_may_have_32_characters() -> None:
    assert user(sub="客" * 32).customer_id == "客" * 32


@pytest.mark.parametrize("exp", [0, 1.5, 2**53])
def test_R37_a_token_expires_when_the_answer_says(exp: float) -> None:
    grant = read(exp=exp)

    assert grant is not None
    assert grant.expires_at == int(exp * 1000)


@pytest.mark.parametrize("body", [b"", b"hush", b"[]", b"null", b"{}", b'{"active":"true"}', b'{"active":1}', b"\xff"])
def test_R31_what_is_no_introspection_answer_grants_and_denies_nothing(body: bytes) -> None:
    with pytest.raises(NotIntrospectedError, match=r"^what answers at TIDINGS_INTROSPECTION_URL is no introspection"):
        AnswerReader().read(body)


@pytest.mark.parametrize(("member", "most"), [("sub", 32), ("wallet", 64), ("client_id", 64)])
def test_R64_what_names_user_wallet_and_app_is_read_at_its_limit_and_no_further(member: str, most: int) -> None:
    for length in (1, most - 1, most):
        assert read(**{member: "x" * length}) is not None
    for length in (0, most + 1):
        with pytest.raises(NotIntrospectedError, match=f"is no string of 1 to {most} characters"):
            read(**{member: "x" * length})
