"""Signatures of requests and answers: RSA, SHA-256, PKCS#1 v1.5 over path, client, time and body (CONTRACT R22-R26).

Nothing here depends on a secret but signing itself, which the library does in constant time; verifying has public
inputs alone.
"""

import re
from base64 import b64decode, b64encode
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, NewType
from urllib.parse import quote, unquote_to_bytes

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from worker.contract.errors import TidingsError

SMALLEST_KEY = 2048
LARGEST_KEY = 4096
"""Bits: what verifies a larger one's signatures would take too long for every call."""
_ALGORITHM = "RSA256"
_VERSION = re.compile(r"[0-9]{1,9}")
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_KEYS_KEPT = 4096


class UnusableKeyError(TidingsError):
    """A key can't be used; the text says which is needed, and nothing of what was given."""


Digest = NewType("Digest", bytes)
"""SHA-256 of what is signed."""


class ClaimedSignature(NamedTuple):
    """What a Signature header says."""

    key_version: int | None
    """None: the client's newest key."""
    signature: bytes


def read_signature(header: str) -> ClaimedSignature | None:
    """Return what a Signature header says; None where it breaks the rules (R22, R23)."""
    parts = [part.partition("=") for part in header.split(",")]
    fields = {name.strip().lower(): value.strip() for name, _, value in parts}
    version = fields.get("keyversion")
    if len(fields) < len(parts) or fields.get("algorithm", "").upper() != _ALGORITHM:
        return None
    if version is not None and not _VERSION.fullmatch(version):
        return None
    signature = _decoded(fields.get("signature", ""))
    return ClaimedSignature(None if version is None else int(version), signature) if signature else None


def _decoded(text: str) -> bytes | None:
    """Return the bytes of base64, standard or for URLs, percent-encoded or not; a `+` is never a space (R23)."""
    digits = unquote_to_bytes(text).translate(_STANDARD_ALPHABET).rstrip(b"=")
    try:
        return b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except ValueError:
        return None


def signed_content(path: str, client_id: str, time: str, body: bytes, method: str = "POST") -> bytes:
    """Return what is signed (R23)."""
    return _signed_head(path, client_id, time, method) + body


def signed_digest(path: str, client_id: str, time: str, body: bytes, method: str = "POST") -> Digest:
    """Return the SHA-256 of what is signed; the body is not copied, and other threads run while a large one is read."""
    digest = sha256(_signed_head(path, client_id, time, method))
    digest.update(body)
    return Digest(digest.digest())


def _signed_head(path: str, client_id: str, time: str, method: str) -> bytes:
    # Every text has passed a header or a request line, so it is Latin-1.
    return f"{method} {path}\n{client_id}.{time}.".encode("latin-1")


def is_signed(pem: str, claimed: bytes, digest: Digest) -> bool:
    """Return whether a signature is that of what has the digest, by a public key that `normal_public_key` gave."""
    try:
        _public_key(pem).verify(claimed, digest, PKCS1v15(), Prehashed(SHA256()))
    except InvalidSignature:
        return False
    return True


def normal_public_key(pem: bytes) -> str:
    """Return a public key in its one spelling; raise UnusableKeyError."""
    if b"PRIVATE KEY" in pem:
        raise UnusableKeyError("is a private key, which its owner alone should have; give the public one")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise UnusableKeyError("must be an RSA public key in PEM, as by: openssl pkey -in private.pem -pubout")
    _check_size(key.key_size)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@lru_cache(_KEYS_KEPT)
def _public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise UnusableKeyError("a registered key is no RSA key")
    return key


def _check_size(bits: int) -> None:
    if not SMALLEST_KEY <= bits <= LARGEST_KEY:
        raise UnusableKeyError(f"must have {SMALLEST_KEY} to {LARGEST_KEY} bits")


class Signer:
    """Signs with one private key."""

    def __init__(self, pem: bytes, key_version: int) -> None:
        """Read the key, a PEM without a password; raise UnusableKeyError."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (TypeError, ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise UnusableKeyError(
                "must be an RSA private key in PEM without a password, as by: "
                "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            )
        _check_size(key.key_size)
        self._key = key
        self._version = key_version

    def header(self, content: bytes) -> str:
        """Return the Signature header of some content, percent-encoded as the official SDKs send it."""
        signature = b64encode(self._key.sign(content, PKCS1v15(), SHA256()))
        return f"algorithm={_ALGORITHM}, keyVersion={self._version}, signature={quote(signature, safe='')}"
