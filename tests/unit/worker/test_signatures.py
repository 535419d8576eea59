import base64
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.keys import private_pem, public_pem, public_pem_of_size
from worker.signatures import (
    ClaimedSignature,
    Signer,
    UnusableKeyError,
    is_signed,
    normal_public_key,
    read_signature,
    signed_content,
    signed_digest,
)

RAW = bytes([0x00, 0x10, 0x83, 0xFB, 0xEF, 0xBE, 0xFF, 0x00, 0x41])
"""Its base64 has a `+` and a `/`."""
STANDARD = base64.b64encode(RAW).decode()


def test_R23_what_is_signed_has_path_client_time_and_body_and_no_line_break_at_the_end() -> None:
    content = signed_content("/v2/miniprogram/message/send?a=b", "m-1", "2019-05-28T12:12:14+08:00", b'{"a":"\xe9"}')

    assert content == b'POST /v2/miniprogram/message/send?a=b\nm-1.2019-05-28T12:12:14+08:00.{"a":"\xe9"}'


@pytest.mark.parametrize(
    "header",
    [
        f"algorithm=RSA256, keyVersion=2, signature={STANDARD}",
        f"algorithm=RSA256,keyVersion=2,signature={STANDARD}",
        f"signature={STANDARD},keyVersion=2 ,\talgorithm=rsa256",
        f"Algorithm=Rsa256, KEYVERSION=2, Signature={STANDARD}",
        f"algorithm=RSA256, keyVersion=2, signature={STANDARD}, more=of the same",
    ],
)
def test_R22_the_parts_of_the_header_may_have_any_order_spacing_and_case(header: str) -> None:
    assert "+" in STANDARD
    assert read_signature(header) == ClaimedSignature(2, RAW)


def test_R22_without_a_key_version_the_newest_key_is_meant() -> None:
    assert read_signature(f"algorithm=RSA256, signature={STANDARD}") == ClaimedSignature(None, RAW)


@pytest.mark.parametrize(
    "value",
    [
        STANDARD,
        quote(STANDARD, safe=""),
        base64.urlsafe_b64encode(RAW).decode(),
        base64.urlsafe_b64encode(RAW + b"!").decode().rstrip("="),
        quote(base64.b64encode(RAW + b"!").decode(), safe=""),
    ],
)
def test_R23_the_value_is_base64_in_any_of_its_three_spellings(value: str) -> None:
    found = read_signature(f"algorithm=RSA256, signature={value}")

    assert found is not None
    assert found.signature in {RAW, RAW + b"!"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "RSA256",
        f"signature={STANDARD}",
        f"algorithm=RSA512, signature={STANDARD}",
        f"algorithm=none, signature={STANDARD}",
        "algorithm=RSA256, keyVersion=1",
        "algorithm=RSA256, keyVersion=1, signature=",
        "algorithm=RSA256, keyVersion=1, signature=====",
        "algorithm=RSA256, signature=a",
        f"algorithm=RSA256, signature={STANDARD.replace('+', ' ')}",
        "algorithm=RSA256, signature=%",
        "algorithm=RSA256, signature=é",
        f"algorithm=RSA256, keyVersion=, signature={STANDARD}",
        f"algorithm=RSA256, keyVersion=-1, signature={STANDARD}",
        f"algorithm=RSA256, keyVersion=1.0, signature={STANDARD}",
        f"algorithm=RSA256, keyVersion=\u0661, signature={STANDARD}",
        f"algorithm=RSA256, keyVersion={'9' * 10}, signature={STANDARD}",
        f"algorithm=RSA256, signature={STANDARD}, signature={STANDARD}",
        f"algorithm=RSA256, signature={STANDARD}, algorithm=RSA256",
    ],
    ids=ascii,
)
def test_R22_a_header_that_breaks_the_rules_claims_nothing(header: str) -> None:
    assert read_signature(header) is None


@given(st.text(max_size=400))
def test_R22_any_text_is_read_or_refused(header: str) -> None:
    for text in (header, f"algorithm=RSA256, signature={header}", f"algorithm=RSA256, keyVersion={header}"):
        found = read_signature(text)
        assert found is None or found.signature


def test_R23_what_was_signed_verifies_and_nothing_else_does() -> None:
    content = signed_content("/v2", "m", "t", b"body")
    digest = signed_digest("/v2", "m", "t", b"body")
    claimed = read_signature(Signer(private_pem("ann"), 3).header(content))

    assert claimed is not None
    assert (claimed.key_version, len(claimed.signature)) == (3, 256)
    assert is_signed(public_pem("ann"), claimed.signature, digest)
    assert not is_signed(public_pem("bob"), claimed.signature, digest)
    assert not is_signed(public_pem("ann"), claimed.signature, signed_digest("/v2", "m", "t", b"body\n"))
    assert not is_signed(public_pem("ann"), claimed.signature + b"\0", digest)
    assert not is_signed(public_pem("ann"), b"\0" + claimed.signature, digest)


def test_R23_openssl_agrees_on_the_signature(tmp_path: Path) -> None:
    content = signed_content("/v2", "m", "t", b"body")
    (tmp_path / "key.pem").write_bytes(private_pem("ann"))
    (tmp_path / "content").write_bytes(content)

    command = ["openssl", "dgst", "-sha256", "-sign", "key.pem", "content"]
    theirs = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout

    assert is_signed(public_pem("ann"), theirs, signed_digest("/v2", "m", "t", b"body"))


@pytest.mark.parametrize(("bits", "is_taken"), [(2047, False), (2048, True), (4096, True), (4097, False)])
def test_R23_a_public_key_has_2048_to_4096_bits(bits: int, is_taken: bool) -> None:  # noqa: FBT001
    pem = public_pem_of_size(bits)

    if is_taken:
        assert normal_public_key(pem).encode() == pem
    else:
        with pytest.raises(UnusableKeyError, match="must have 2048 to 4096 bits"):
            normal_public_key(pem)


def test_a_private_key_is_not_taken_for_a_public_one_nor_shown() -> None:
    with pytest.raises(UnusableKeyError, match="is a private key") as raised:
        normal_public_key(private_pem("ann"))

    assert raised.value.__cause__ is None


def test_a_public_key_has_one_spelling() -> None:
    pem = public_pem("ann")

    assert normal_public_key(f"my key\n{pem}\n".encode()) == pem


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(UnusableKeyError, match="must be an RSA public key in PEM"):
        normal_public_key(pem)
    with pytest.raises(UnusableKeyError, match="must be an RSA private key in PEM"):
        Signer(pem, 1)


def test_a_key_of_another_kind_or_size_signs_nothing(tmp_path: Path) -> None:
    for arguments in (["genpkey", "-algorithm", "ED25519", "-out", "ed.pem"], ["genrsa", "-out", "small.pem", "1024"]):
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    with pytest.raises(UnusableKeyError, match="must be an RSA private key"):
        Signer((tmp_path / "ed.pem").read_bytes(), 1)
    with pytest.raises(UnusableKeyError, match="must have 2048 to 4096 bits"):
        Signer((tmp_path / "small.pem").read_bytes(), 1)


@pytest.mark.parametrize("version", ["1", "9" * 8, "9" * 9])
def test_R22_a_key_version_has_up_to_nine_digits(version: str) -> None:
    found = read_signature(f"algorithm=RSA256, keyVersion={version}, signature={STANDARD}")

    assert found is not None
    assert found.key_version == int(version)
