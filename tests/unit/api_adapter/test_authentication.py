import asyncio
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.authentication import Authentication, SignatureCheck, SignedCall, believe
from api_adapter.clients import Clients
from tests.fakes.clients import FakeClientRegistry
from tests.fakes.clock import FakeClock
from tests.keys import public_pem, signed_headers
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import LedgerUnavailableError
from worker.contract.moments import moment_text
from worker.signatures import read_signature

CLOCK = FakeClock()
NOW = CLOCK.now()
SKEW = 300_000
PATH = "/v2/miniprogram/message/send"
BODY = '{"who": "小明 🙂"}'.encode()
CLIENT = RegisteredClient(
    "merchant-1",
    frozenset({"app"}),
    (ClientKey(1, public_pem("older"), NOW + 1), ClientKey(2, public_pem("newer"))),
)
OTHER = RegisteredClient("merchant-2", frozenset({"app"}), (ClientKey(1, public_pem("other")),))
REGISTRY = FakeClientRegistry(CLIENT, OTHER)
INVALID = Result.refused(ResultCode.INVALID_SIGNATURE, "header Signature: is not valid")


def headers(**replaced: str | int) -> dict[str, str]:
    """Return the headers of a good request, but for what is replaced when it is signed."""
    usual: dict[str, str | int] = {"client": "merchant-1", "time": moment_text(NOW), "key": "newer", "version": 2}
    return signed_headers(PATH, BODY, **usual | replaced)  # type: ignore[arg-type]  # each is of its own type


def refusal(given_headers: Mapping[str, str], path: str = PATH, body: bytes = BODY, address: str = "") -> Result | None:
    authentication = Authentication(Clients(REGISTRY, None), SignatureCheck(CLOCK, SKEW))
    return asyncio.run(authentication.refusal(SignedCall(path, given_headers, body, address)))


def refusal_before_body(given_headers: Mapping[str, str], address: str = "") -> Result | None:
    authentication = Authentication(Clients(REGISTRY, None), SignatureCheck(CLOCK, SKEW))
    return asyncio.run(authentication.refusal_before_body(SignedCall(PATH, given_headers, b"", address)))


def without_version(found: Mapping[str, str]) -> dict[str, str]:
    return {**found, "signature": found["signature"].replace(" keyVersion=2,", "").replace(" keyVersion=1,", "")}


GOOD = headers()


def test_R20_R23_what_a_client_signed_is_let_in() -> None:
    assert refusal(GOOD) is None


@pytest.mark.parametrize(
    "path", ["/api/open" + PATH, PATH + "?a=b&c=%20d", PATH.replace("send", "%73end")], ids=["prefix", "query", "%"]
)
def test_R24_the_path_is_verified_as_requested(path: str) -> None:
    signed = signed_headers(path, BODY, client="merchant-1", time=moment_text(NOW), key="newer", version=2)

    assert refusal(signed, path) is None
    assert refusal(signed) == INVALID


@pytest.mark.parametrize("size", [1 << 18, (1 << 18) + 1], ids=["on the loop", "in a thread"])
def test_R23_a_body_of_any_size_is_verified_to_its_last_byte(size: int) -> None:
    body = b"x" * size
    signed = signed_headers(PATH, body, client="merchant-1", time=moment_text(NOW), key="newer", version=2)

    assert refusal(signed, body=body) is None
    assert refusal(signed, body=body[:-1] + b"y") == INVALID


def test_R27_several_key_versions_are_valid_at_once_each_until_its_end() -> None:
    older = headers(key="older", version=1)

    assert refusal(older) is None
    CLOCK.advance(1)
    try:
        assert refusal(older) == INVALID
        assert refusal(GOOD) is None
    finally:
        CLOCK.advance(-1)


def test_R22_without_a_key_version_it_is_the_newest_key() -> None:
    assert refusal(without_version(GOOD)) is None
    assert refusal(without_version(headers(key="older", version=1))) == INVALID


@pytest.mark.parametrize(
    ("key", "version"), [("newer", 1), ("older", 2), ("newer", 3), ("newer", 0), ("other", 2), ("other", 1)]
)
def test_R38_another_key_another_version_and_another_client_are_answered_alike(key: str, version: int) -> None:
    assert refusal(headers(key=key, version=version)) == INVALID


def test_R38_what_one_client_signed_is_not_anothers() -> None:
    assert refusal(headers() | {"client-id": "merchant-2"}) == INVALID


@pytest.mark.parametrize(
    ("missing", "code", "text"),
    [
        ("client-id", ResultCode.INVALID_CLIENT, "header Client-Id: is required"),
        ("request-time", ResultCode.INVALID_SIGNATURE, "header Request-Time: is required"),
        ("signature", ResultCode.INVALID_SIGNATURE, "header Signature: is required"),
    ],
)
def test_R20_R21_R22_each_header_is_required_and_named(missing: str, code: ResultCode, text: str) -> None:
    without = {name: value for name, value in GOOD.items() if name != missing}

    assert refusal(without) == refusal({**without, missing: ""}) == Result.refused(code, text)


def test_R39_a_client_that_is_not_registered_is_invalid_however_it_signs() -> None:
    found = refusal(headers(client="merchant-3"))

    assert found is not None
    assert found.code is ResultCode.INVALID_CLIENT


@pytest.mark.parametrize("direction", [-1, 1], ids=["late", "early"])
@pytest.mark.parametrize("write", [moment_text, str], ids=["ISO 8601", "milliseconds"])
def test_R21_request_time_may_be_as_far_away_as_the_skew(direction: int, write: "type[str]") -> None:
    inside, beyond = (headers(time=write(NOW + direction * distance)) for distance in (SKEW, SKEW + 1))

    assert refusal(headers(time=write(NOW + direction * (SKEW - 1)))) is None
    assert refusal(inside) is None
    assert refusal(beyond) == Result.refused(
        ResultCode.INVALID_SIGNATURE, "header Request-Time: is more than 300 s from the server's time"
    )


@pytest.mark.parametrize("time", ["now", "2023-11-14T22:13:20", "2023-11-14", "1700000000"])
def test_R21_a_time_that_is_none_is_refused_and_named(time: str) -> None:
    found = refusal(headers(time=time))

    assert found is not None
    assert (found.code, found.message.partition(":")[0]) == (ResultCode.INVALID_SIGNATURE, "header Request-Time")


def test_R21_of_a_wrong_time_nobody_hears_but_who_has_the_key() -> None:
    assert refusal(headers(time="now", key="other")) == INVALID
    assert refusal(headers(time=moment_text(0), key="other")) == INVALID


def test_R21_the_same_moment_in_another_spelling_is_not_what_was_signed() -> None:
    assert refusal({**GOOD, "request-time": str(NOW)}) == INVALID


def test_R20_a_client_with_addresses_may_call_from_those_alone() -> None:
    REGISTRY.clients["merchant-1"] = RegisteredClient(
        "merchant-1", CLIENT.app_ids, CLIENT.keys, networks=(ip_network("203.0.113.0/24"),)
    )
    try:
        elsewhere = refusal(GOOD, address="198.51.100.1")
        assert refusal(GOOD, address="203.0.113.9") is None
        assert elsewhere is not None
        assert elsewhere.code is ResultCode.ACCESS_DENIED
        # Who has no key does not learn which addresses may call.
        assert refusal(headers(key="other"), address="198.51.100.1") == INVALID
    finally:
        REGISTRY.clients["merchant-1"] = CLIENT


def test_without_signatures_a_registered_client_is_still_held_to_its_addresses() -> None:
    bound = RegisteredClient("m", frozenset(), CLIENT.keys, networks=(ip_network("203.0.113.0/24"),))
    authentication = Authentication(Clients(FakeClientRegistry(bound), {}), believe)

    here, elsewhere = (
        asyncio.run(authentication.refusal(SignedCall(PATH, {"client-id": "m"}, b"", address)))
        for address in ("203.0.113.9", "198.51.100.1")
    )

    assert here is None
    assert elsewhere is not None
    assert elsewhere.code is ResultCode.ACCESS_DENIED
    call = SignedCall(PATH, {"client-id": "m"}, b"", "198.51.100.1")
    assert asyncio.run(authentication.refusal_before_body(call)) == elsewhere


def test_what_a_body_may_still_make_right_waits_for_it() -> None:
    assert refusal_before_body(GOOD) is None
    # The key is not theirs; without the body nobody can know.
    assert refusal_before_body(headers(key="other")) is None


@pytest.mark.parametrize("offset", [-SKEW, 0, SKEW])
def test_R21_a_time_within_the_skew_waits_for_the_body(offset: int) -> None:
    assert refusal_before_body(headers(time=moment_text(NOW + offset))) is None


@pytest.mark.parametrize(
    "wrong",
    [
        headers(time=moment_text(NOW - SKEW - 1)),
        headers(time=moment_text(NOW + SKEW + 1)),
        headers(time="now"),
        headers(version=3),
        {**GOOD, "signature": "algorithm=RSA256"},
        {**GOOD, "signature": GOOD["signature"].replace("RSA256", "RSA512")},
    ],
    ids=["too old", "too new", "no time", "no such key", "no signature", "another algorithm"],
)
def test_R38_what_no_body_can_make_right_is_refused_before_it_and_why_is_not_told(wrong: dict[str, str]) -> None:
    assert refusal_before_body(wrong) == INVALID


def test_R39_who_is_not_known_or_brings_no_signature_is_refused_before_the_body() -> None:
    stranger = refusal_before_body({**GOOD, "client-id": "nobody"})
    bare = [refusal_before_body({n: v for n, v in GOOD.items() if n != lacking}) for lacking in GOOD]

    assert stranger is not None
    assert stranger.code is ResultCode.INVALID_CLIENT
    assert None not in bare


def test_who_calls_from_elsewhere_is_refused_before_the_body_and_does_not_learn_why() -> None:
    REGISTRY.clients["merchant-1"] = replace(CLIENT, networks=(ip_network("203.0.113.0/24"),))
    try:
        assert refusal_before_body(GOOD, "203.0.113.9") is None
        assert refusal_before_body(GOOD, "198.51.100.1") == INVALID
    finally:
        REGISTRY.clients["merchant-1"] = CLIENT


def test_while_the_registry_is_away_nobody_is_judged() -> None:
    REGISTRY.away = True
    try:
        with pytest.raises(LedgerUnavailableError):
            refusal(GOOD)
    finally:
        REGISTRY.away = False


@st.composite
def mutations(draw: st.DrawFn, text: str) -> str:
    """Draw a text that differs from another in one place or two."""
    characters = list(text)
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(characters)))
        length = draw(st.integers(0, 2))
        characters[place : place + length] = draw(st.text(st.characters(max_codepoint=255), max_size=2))
    return "".join(characters)


@given(mutations(BODY.decode("latin-1")))
def test_R23_a_body_that_was_changed_is_refused(changed: str) -> None:
    body = changed.encode("latin-1")

    assert refusal(GOOD, body=body) == (None if body == BODY else INVALID)


@given(mutations(PATH))
def test_R23_a_path_that_was_changed_is_refused(path: str) -> None:
    assert refusal(GOOD, path) == (None if path == PATH else INVALID)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_R23_a_header_that_was_changed_is_refused_but_for_its_spelling(name: str, data: st.DataObject) -> None:
    changed = data.draw(mutations(GOOD[name]))
    found = refusal({**GOOD, name: changed})

    if found is None:
        # Client-Id loses the spaces around; of the Signature's spellings the API takes several. Nothing else.
        assert name != "request-time" or changed == GOOD[name]
        assert name != "client-id" or changed.strip(" \t") == GOOD[name]
        if name == "signature":
            same = read_signature(changed)
            assert same is not None
            assert same.signature == (read_signature(GOOD[name]) or same).signature
            assert same.key_version in {None, 2}
    else:
        assert found.code in {ResultCode.INVALID_SIGNATURE, ResultCode.INVALID_CLIENT}


@given(st.binary(max_size=300), st.integers(0, 3))
def test_R23_no_guess_is_a_signature(guess: bytes, version: int) -> None:
    value = guess.hex()
    signature = f"algorithm=RSA256, keyVersion={version}, signature={value}"

    assert refusal({**GOOD, "signature": signature}) == INVALID
