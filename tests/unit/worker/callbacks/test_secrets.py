import base64
import re

import pytest

from worker.callbacks.secrets import UnusableSecretError, Vault, checked_secret, new_secret


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(b"x" * size).decode()


def test_a_new_secret_is_of_the_form_and_never_the_same() -> None:
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", new_secret())
    assert new_secret() != new_secret()
    assert checked_secret(new_secret())


@pytest.mark.parametrize("size", [24, 25, 64])
def test_a_secret_of_24_to_64_bytes_is_taken(size: int) -> None:
    assert checked_secret(secret_of(size)) == secret_of(size)


@pytest.mark.parametrize(
    "text", [secret_of(23), secret_of(65), "", "whsec_", secret_of(32).removeprefix("whsec_"), "whsec_!" + "A" * 40]
)
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UnusableSecretError) as refusal:
        checked_secret(text)
    assert len(text) < 10 or text not in str(refusal.value)


def test_what_was_sealed_opens_for_the_same_merchant_under_the_same_key_alone() -> None:
    vault, secret = Vault(b"key"), new_secret()
    sealed = vault.seal("shop", secret)

    assert Vault(b"key").open("shop", sealed) == secret
    for other, app_id, what in [
        (Vault(b"other"), "shop", sealed),
        (vault, "cafe", sealed),
        (vault, "shop", "A" + sealed[1:] if sealed[0] != "A" else "B" + sealed[1:]),
        (vault, "shop", sealed[:8]),
        (vault, "shop", "no base64!"),
        (vault, "shop", ""),
    ]:
        with pytest.raises(UnusableSecretError, match="tidings callback rotate"):
            other.open(app_id, what)


def test_a_sealed_secret_shows_nothing_of_it_and_is_never_the_same() -> None:
    vault, secret = Vault(b"key"), new_secret()

    sealed = vault.seal("shop", secret)

    assert sealed != vault.seal("shop", secret)
    assert secret.removeprefix("whsec_") not in sealed
    assert base64.b64decode(secret.removeprefix("whsec_")) not in base64.b64decode(sealed)
