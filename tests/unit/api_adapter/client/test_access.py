"""What calls are made with."""

import pytest

from api_adapter.client import Access, AccessError, AsyncClient, Client, ClientError, Signer
from tests.keys import private_pem, public_pem


@pytest.mark.parametrize(
    ("url", "base", "path"),
    [
        ("https://api.example", "https://api.example", ""),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", ""),
        ("https://api.example/api/open//", "https://api.example/api/open", "/api/open"),
    ],
)
def test_a_url_may_have_a_prefix(url: str, base: str, path: str) -> None:
    access = Access(url, "merchant-1")

    assert (access.url, access.path) == (base, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "ftp://api.example",
        "https://",
        "https://api.example:0",
        "https://api.example:99999",
        "https://user:hush@api.example",
        "https://api.example/?a=hush",
        "https://api.example/#hush",
        "https://api.example/%61",
        "https://api.example/a/../b",
        "https://api.example/a b",
        "https://[hush",
    ],
)
def test_a_url_that_can_not_be_signed_as_it_is_written_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(AccessError, match=r"^url: must") as refused:
        Access(url, "merchant-1")

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("client_id", ["", "a b", "é", "x" * 129])
def test_a_client_id_is_what_the_api_takes(client_id: str) -> None:
    with pytest.raises(AccessError, match="client_id"):
        Access("https://api.example", client_id)


def test_a_server_key_must_be_a_public_one() -> None:
    with pytest.raises(ClientError, match="server_keys: is a private key"):
        Access("https://api.example", "merchant-1", server_keys={1: private_pem("server")})


def test_no_key_is_shown() -> None:
    signer = Signer(private_pem("merchant"), 1)
    shown = repr(Access("https://api.example", "merchant-1", signer, {1: public_pem("server")}))

    assert shown == "Access(url='https://api.example', client_id='merchant-1', skew=300000)"
    assert "PRIVATE" not in repr(signer) + str(signer.__dict__)


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_who_can_trust_nobody_is_told_what_to_set(
    client: type[Client | AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/roots.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    with pytest.raises(AccessError, match="SSL_CERT_FILE and SSL_CERT_DIR, where they are set, have to name some"):
        client(Access("https://api.example", "merchant-1"))
