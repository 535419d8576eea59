import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.clients import Caller, Clients
from tests.fakes.clients import FakeClientRegistry
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.codes import Result, ResultCode, ResultStatus

ANYBODY = Clients(FakeClientRegistry(), {})
KNOWN = Clients(FakeClientRegistry(), {"merchant-1": ["app-1", "app-2"], "merchant-2": []})
REGISTERED = RegisteredClient("merchant-1", frozenset({"app-9"}), (ClientKey(1, "a key"),))


def identified(clients: Clients, client_id: str) -> Caller:
    found = asyncio.run(clients.identify({"client-id": client_id}))
    assert isinstance(found, Caller)
    return found


def refusal(clients: Clients, headers: dict[str, str]) -> Result:
    found = asyncio.run(clients.identify(headers))
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
    assert identified(clients, " merchant-1 ").client_id == "merchant-1"


def test_R39_a_configured_caller_may_send_for_its_apps_alone() -> None:
    assert identified(KNOWN, "merchant-1").may_send_for("app-1")
    assert identified(KNOWN, "merchant-1").may_send_for("app-2")
    assert not identified(KNOWN, "merchant-1").may_send_for("app-3")
    assert not identified(KNOWN, "merchant-2").may_send_for("app-1")


def test_R39_any_caller_may_send_for_any_app_while_none_is_configured() -> None:
    assert identified(ANYBODY, "anybody").may_send_for("app-1")


def test_R39_a_name_has_128_characters_at_most() -> None:
    assert identified(ANYBODY, "m" * 128).client_id == "m" * 128
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
    found = asyncio.run(ANYBODY.identify({"client-id": header}))

    if isinstance(found, Caller):
        assert found.client_id.isascii()
        assert found.client_id.isprintable()
        assert 1 <= len(found.client_id) <= 128
    else:
        assert found.code is ResultCode.INVALID_CLIENT


@pytest.mark.parametrize("unregistered", [{}, {"merchant-1": ["app-1"]}, None], ids=["any", "configured", "closed"])
def test_R20_what_is_registered_of_a_client_counts_alone(unregistered: dict[str, list[str]] | None) -> None:
    caller = identified(Clients(FakeClientRegistry(REGISTERED), unregistered), "merchant-1")

    assert (caller.registered, caller.may_send_for("app-9"), caller.may_send_for("app-1")) == (REGISTERED, True, False)


def test_R20_beside_registered_clients_those_of_the_settings_may_call() -> None:
    both = Clients(FakeClientRegistry(REGISTERED), {"merchant-2": ["app-2"]})

    assert identified(both, "merchant-2") == Caller("merchant-2", frozenset({"app-2"}))
    assert refusal(both, {"client-id": "merchant-3"}).code is ResultCode.INVALID_CLIENT


@pytest.mark.parametrize("unregistered", [{}, None], ids=["any", "closed"])
def test_R20_once_a_client_is_registered_nobody_else_may_call(unregistered: dict[str, list[str]] | None) -> None:
    clients = Clients(FakeClientRegistry(REGISTERED), unregistered)

    assert refusal(clients, {"client-id": "merchant-2"}).code is ResultCode.INVALID_CLIENT


def test_R20_where_only_registered_clients_may_call_and_there_is_none_nobody_may() -> None:
    assert refusal(Clients(FakeClientRegistry(), None), {"client-id": "m"}).code is ResultCode.INVALID_CLIENT
