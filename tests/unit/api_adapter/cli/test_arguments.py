"""What the texts of arguments mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.cli.arguments import ArgumentError, cap, duration, gateway, moment
from api_adapter.cli.printing import period, utc
from worker.contract.messages import Channel
from worker.contract.users import GatewayRoute, SendCap

CENTURY = 36_500 * 86_400_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250ms", 250), ("30s", 30_000), ("15m", 900_000), ("24h", 86_400_000), ("7d", 604_800_000)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, milliseconds: int) -> None:
    assert duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1.5h", "0s", "1 h", "1y", "36501d", "٣s"])
def test_what_is_no_duration_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ArgumentError, match="must be a duration such as 30s"):
        duration(text)


@given(st.integers(min_value=1, max_value=CENTURY))
def test_a_duration_is_read_as_it_is_shown(milliseconds: int) -> None:
    assert duration(period(milliseconds)) == milliseconds


@given(st.integers(min_value=0, max_value=CENTURY))
def test_a_moment_is_read_as_it_is_shown(milliseconds: int) -> None:
    assert moment(utc(milliseconds)) == milliseconds
    assert moment(str(milliseconds)) == milliseconds


def test_a_moment_of_another_offset_is_the_same_moment() -> None:
    assert moment("2031-05-01T20:00:00+08:00") == moment("2031-05-01T12:00:00Z")


@pytest.mark.parametrize("text", ["", "tomorrow", "2031-05-01", "2031-05-01T12:00:00", "9" * 30, "-1"])
def test_what_is_no_moment_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ArgumentError, match="a time with offset such as 2031-05-01T12:00:00Z"):
        moment(text)


def test_a_cap_is_a_number_in_a_period() -> None:
    assert cap("5/24h") == SendCap(5, 86_400_000)


@pytest.mark.parametrize("text", ["5", "0/24h", "/24h", "5/", "-5/24h", "5/24h/7d", "5/day"])
def test_what_is_no_cap_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="such as"):
        cap(text)


def test_a_url_alone_serves_every_channel_under_the_default_name() -> None:
    route = gateway("https://wallet.example:8443/api/", "gcash")

    assert route == GatewayRoute("gcash", "https://wallet.example:8443/api", frozenset(Channel))


def test_a_gateway_has_the_name_and_the_channels_given() -> None:
    route = gateway("fast=http://10.0.0.7/a=b;channels=INBOX", "gcash")

    assert route == GatewayRoute("fast", "http://10.0.0.7/a=b", frozenset({Channel.INBOX}))


def test_a_gateway_may_offer_an_inquiry() -> None:
    assert gateway("http://10.0.0.7;channels=PUSH;inquiry", "x") == GatewayRoute(
        "x", "http://10.0.0.7", frozenset({Channel.PUSH}), inquiry=True
    )
    assert gateway("http://10.0.0.7;inquiry", "x").inquiry


def test_a_gateway_may_have_a_rate_and_its_options_stand_in_any_order() -> None:
    route = GatewayRoute("x", "http://10.0.0.7", frozenset({Channel.PUSH}), inquiry=True, rate=250)

    assert gateway("http://10.0.0.7;channels=PUSH;inquiry;rate=250/s", "x") == route
    assert gateway("http://10.0.0.7;rate=250/s;inquiry;channels=PUSH", "x") == route
    assert gateway("http://10.0.0.7;rate=1/s", "x").rate == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://10.0.0.7;inquiry;inquiry", r"must be \[NAME=\]URL"),
        ("http://10.0.0.7;inquiry=yes", ";inquiry without a value"),
        ("http://10.0.0.7;rate", "a rate in messages a second such as ;rate=100/s"),
        ("http://10.0.0.7;rate=100", "a rate in messages a second such as ;rate=100/s"),
        ("http://10.0.0.7;rate=0/s", "a rate in messages a second such as ;rate=100/s"),
        ("http://10.0.0.7;rate=1/m", "a rate in messages a second such as ;rate=100/s"),
        ("http://10.0.0.7;channels", "channels among PUSH, INBOX"),
        ("wallet.example", r"must be \[NAME=\]URL"),
        ("a b=https://wallet.example", r"must be \[NAME=\]URL"),
        ("https://wallet.example;lanes=PUSH", r"must be \[NAME=\]URL"),
        ("https://wallet.example;channels=PUSH,SMS", "channels among PUSH, INBOX"),
        ("https://wallet.example;channels=,", "channels among PUSH, INBOX"),
        ("ftp://wallet.example", "a URL such as https"),
        ("https://", r"must be \[NAME=\]URL"),
        ("https://:80", "a URL such as https"),
        ("https://wallet.example:99999", "a URL such as https"),
        ("https://wallet.example:0", "a URL such as https"),
        ("https://wallet.example/?a=1", "without user, query and fragment"),
        ("https://wallet.example/#a", "without user, query and fragment"),
        ("https://user:hush@wallet.example", "without user, query and fragment"),
    ],
)
def test_what_is_no_gateway_is_refused_and_not_repeated(text: str, reason: str) -> None:
    with pytest.raises(ArgumentError, match=reason) as refusal:
        gateway(text, "gcash")
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("milliseconds", [1, CENTURY - 1, CENTURY])
def test_a_duration_has_from_a_millisecond_to_100_years(milliseconds: int) -> None:
    assert duration(f"{milliseconds}ms") == milliseconds


@pytest.mark.parametrize("milliseconds", [0, CENTURY + 1])
def test_a_duration_beyond_is_refused(milliseconds: int) -> None:
    with pytest.raises(ArgumentError, match="at most 100 years"):
        duration(f"{milliseconds}ms")


@pytest.mark.parametrize("messages", [1, 10**8, 10**9 - 1])
def test_a_cap_has_up_to_nine_digits(messages: int) -> None:
    assert cap(f"{messages}/1h").messages == messages


@pytest.mark.parametrize("rate", [1, 10**6, 10**7 - 1])
def test_the_rate_of_a_gateway_has_up_to_seven_digits(rate: int) -> None:
    assert gateway(f"http://10.0.0.7;rate={rate}/s", "x").rate == rate


@pytest.mark.parametrize("length", [1, 63, 64])
def test_the_name_of_a_gateway_has_up_to_64_characters(length: int) -> None:
    assert gateway(f"{'n' * length}=http://10.0.0.7", "x").name == "n" * length


@pytest.mark.parametrize("beyond", ["http://10.0.0.7;rate=10000000/s", f"{'n' * 65}=http://10.0.0.7"])
def test_a_gateway_beyond_its_limits_is_refused(beyond: str) -> None:
    with pytest.raises(ArgumentError, match="such as"):
        gateway(beyond, "x")


def test_a_cap_beyond_nine_digits_is_refused() -> None:
    with pytest.raises(ArgumentError, match="such as"):
        cap(f"{10**9}/1h")
