"""Certificates that nobody but a test trusts."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def tls_for(name: str, directory: Path) -> tuple[ssl.SSLContext, bytes]:
    """Return what a server of that name needs, and the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named("callbacks of the tests")
    certificate = _certificate(subject, subject, key, x509.SubjectAlternativeName([x509.DNSName(name)]), key)
    return _serving(certificate, key, directory), certificate


def tls_of_authority_for(name: str, directory: Path) -> tuple[ssl.SSLContext, bytes]:
    """Return the same for a server that a private authority vouches for, without the key identifiers of RFC 5280."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _named("a private authority")
    root = _certificate(issuer, issuer, authority, x509.BasicConstraints(ca=True, path_length=None), authority)
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    certificate = _certificate(_named("a server"), issuer, key, names, authority)
    return _serving(certificate, key, directory), root


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
    signer: ec.EllipticCurvePrivateKey,
) -> bytes:
    now = datetime.now(UTC)
    found = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=False)
        .sign(signer, SHA256())
    )
    return found.public_bytes(Encoding.PEM)


def _serving(certificate: bytes, key: ec.EllipticCurvePrivateKey, directory: Path) -> ssl.SSLContext:
    both = directory / "server.pem"
    both.write_bytes(certificate + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
