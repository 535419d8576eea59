"""RSA keys of the tests; each is made once a run, as making one takes long."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from worker.signatures import Signer, signed_content


@cache
def private_pem(_name: str) -> bytes:
    """Return the private key of whoever is named."""
    key = generate_private_key(65_537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def public_pem(name: str) -> str:
    """Return the public key that belongs to `private_pem`."""
    key = load_pem_private_key(private_pem(name), None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def signer(name: str, version: int = 1) -> Signer:
    """Return what signs with `private_pem`; reading a key takes long too."""
    return Signer(private_pem(name), version)


def public_pem_of_size(bits: int) -> bytes:
    """Return a public key of so many bits that nobody has the private one of: that would take seconds to make."""
    key = RSAPublicNumbers(65_537, (1 << (bits - 1)) + 1).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed_headers(path: str, body: bytes, *, client: str, time: str, key: str, version: int = 1) -> dict[str, str]:
    """Return the headers of a request that a client signed with somebody's key."""
    signature = signer(key, version).header(signed_content(path, client, time, body))
    return {"client-id": client, "request-time": time, "signature": signature}
