import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.clients import Clients
from worker.contract.codes import Result, ResultCode, ResultStatus

ANYBODY = Clients({})
KNOWN = Clients({"merchant-1": ["app-1", "app-2"], "merchant-2": []})


def refusal(clients: Clients, headers: dict[str, str]) -> Result:
    found = clients.identify(headers)
    assert isinstance(found, Result)
    return found


@pytest.mark.parametrize("clients", [ANYBODY, KNOWN], ids=["any", "configured"])
@pytest.mark.parametrize("headers", [{}, {"client-id": ""}, {"client-id": " \t "}], ids=["absent", "empty", "blank"])
def test_R39_a_caller_without_a_name_is_an_invalid_client(clients: Clients, headers: dict[str, str]) -> None:
    assert refusal(clients, headers) == Result(
        ResultCode.INVALID_CLIENT,
        ResultStatus.F,
        "header Client-Id: is required",
    )


def test_R39_a_caller_that_is_not_configured_is_an_invalid_client() -> None:
    found = refusal(KNOWN, {"client-id": "merchant-3"})

    assert found == Result(ResultCode.INVALID_CLIENT, ResultStatus.F, "header Client-Id: is not a known client")


@pytest.mark.parametrize("clients", [ANYBODY, KNOWN], ids=["any", "configured"])
def test_R39_a_caller_is_named_without_the_spaces_around(clients: Clients) -> None:
    assert clients.identify({"client-id": " merchant-1 "}) == "merchant-1"


def test_R39_a_configured_caller_may_send_for_its_apps_alone() -> None:
    assert KNOWN.may_send_for("merchant-1", "app-1")
    assert KNOWN.may_send_for("merchant-1", "app-2")
    assert not KNOWN.may_send_for("merchant-1", "app-3")
    assert not KNOWN.may_send_for("merchant-2", "app-1")


def test_R39_any_caller_may_send_for_any_app_while_none_is_configured() -> None:
    assert ANYBODY.may_send_for("anybody", "app-1")


def test_R39_a_name_has_128_characters_at_most() -> None:
    assert ANYBODY.identify({"client-id": "m" * 128}) == "m" * 128
    assert refusal(ANYBODY, {"client-id": "m" * 129}).code is ResultCode.INVALID_CLIENT


@pytest.mark.parametrize(
    "name", ["m\x00", "m\n1", "m\x1b[J", "m m", "é", "商户", "m\x9f", "m\xa0", "m\u2028"], ids=ascii
)
def test_R39_a_name_that_is_not_plain_is_refused_and_not_repeated(name: str) -> None:
    found = refusal(ANYBODY, {"client-id": name})

    assert found.code is ResultCode.INVALID_CLIENT
    assert name not in found.message


@given(st.text(max_size=200))
def test_R39_whatever_the_header_says_the_name_is_plain_or_refused(header: str) -> None:
    found = ANYBODY.identify({"client-id": header})

    if isinstance(found, str):
        assert found.isascii()
        assert found.isprintable()
        assert 1 <= len(found) <= 128
    else:
        assert found.code is ResultCode.INVALID_CLIENT
