"""The secrets that callbacks are signed with, which the stores keep encrypted (Standard Webhooks, "Signature scheme").

A secret is shown when it is made, and never again. It is sealed with a key that is derived from the tokens' secret, so
a copy of the stores alone signs nothing.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from worker.contract.errors import TidingsError

PREFIX = "whsec_"
_PURPOSE = b"tidings: secrets of callbacks"
_SECRET_BYTES = 32
_FEWEST, _MOST = 24, 64
"""Bytes of a secret, by Standard Webhooks."""
_KEY_BYTES, _NONCE_BYTES = 32, 12


class UnusableSecretError(TidingsError):
    """A secret is none, or was sealed under another TIDINGS_TOKEN_SECRET."""


def new_secret() -> str:
    """Return a random secret, such as `whsec_...`."""
    return PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def checked_secret(text: str) -> str:
    """Return a secret as it was given; raise UnusableSecretError for one that Standard Webhooks does not allow."""
    try:
        size = len(base64.b64decode(text.removeprefix(PREFIX), validate=True)) if text.startswith(PREFIX) else 0
    except binascii.Error:
        size = 0
    if not _FEWEST <= size <= _MOST:
        raise UnusableSecretError(f"must be {PREFIX} and the base64 of {_FEWEST} to {_MOST} random bytes")
    return text


class Vault:
    """Seals secrets for the stores, and opens them."""

    def __init__(self, token_secret: bytes) -> None:
        """Derive the key; see `worker.local_secrets`."""
        key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(token_secret)
        self._cipher = AESGCM(key)

    def seal(self, app_id: str, secret: str) -> str:
        """Return the secret as the stores keep it; it opens for the same appId alone."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, secret.encode(), app_id.encode())).decode()

    def open(self, app_id: str, sealed: str) -> str:
        """Return the secret; raise UnusableSecretError if it was sealed otherwise."""
        try:
            packed = base64.b64decode(sealed)
            return self._cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], app_id.encode()).decode()
        except (InvalidTag, ValueError):
            raise UnusableSecretError(
                "the callback's secret can't be read: TIDINGS_TOKEN_SECRET is not what it was sealed with; "
                "set that one again, or make a new secret with tidings callback rotate"
            ) from None
