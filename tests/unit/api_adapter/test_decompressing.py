import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.decompressing import BodyTooLargeError, Gunzip, NotGzipError, gunzip

MIB = 1024 * 1024


@given(members=st.lists(st.binary(max_size=500), min_size=1, max_size=5), size=st.integers(1, 50))
def test_whatever_the_pieces_are_what_was_compressed_comes_out(members: list[bytes], size: int) -> None:
    body = b"".join(map(gzip.compress, members))
    decompression = Gunzip(10_000)

    pieces = [piece for at in range(0, len(body), size) for piece in decompression.feed(body[at : at + size])]
    decompression.finish()

    assert b"".join(pieces) == b"".join(members)


@pytest.mark.parametrize("more", [0, 1])
def test_a_body_may_hold_so_much_and_not_a_byte_more(more: int) -> None:
    body = gzip.compress(b"x" * (MIB + more))

    if more:
        with pytest.raises(BodyTooLargeError, match="larger than 1048576 bytes once it is decompressed"):
            gunzip(body, MIB)
    else:
        assert gunzip(body, MIB) == b"x" * MIB


def test_a_bomb_is_cut_off_at_the_bound() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(MIB)) for _ in range(100)) + compressor.flush()
    pieces: list[int] = []

    def decompress() -> None:
        pieces.extend(len(piece) for piece in Gunzip(MIB).feed(bomb))

    with pytest.raises(BodyTooLargeError):
        decompress()

    assert len(bomb) < 200_000
    assert sum(pieces) <= MIB
    assert max(pieces) <= 64 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        gzip.compress(b"x", mtime=0)[:-1],
        gzip.compress(b"x", mtime=0) + b"{}",
        zlib.compress(b"x"),
        b"\x1f\x8b",
    ],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(NotGzipError):
        gunzip(body, MIB)


@pytest.mark.parametrize("more", [0, 1])
def test_a_thousand_tiny_members_are_free_and_no_more(more: int) -> None:
    body = gzip.compress(b"x") * (1_000 + more)

    if more:
        with pytest.raises(NotGzipError, match="too many tiny gzip members"):
            gunzip(body, MIB)
    else:
        assert gunzip(body, MIB) == b"x" * 1_000


def test_many_members_that_are_not_tiny_are_fine() -> None:
    assert len(gunzip(gzip.compress(b"x" * 1_000) * 2_000, 2 * MIB)) == 2_000_000
