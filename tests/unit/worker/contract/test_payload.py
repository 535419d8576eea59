import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import payload
from worker.contract.payload import Payload, Quiet
from worker.contract.quiet_hours import QuietHours

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PAYLOADS = st.builds(
    Payload,
    customer_id=TEXTS,
    wallet=TEXTS,
    template_code=TEXTS,
    template_version=st.integers(1, 2**53),
    language=TEXTS,
    parameters=st.dictionaries(TEXTS, TEXTS, max_size=5),
    redirect_url=TEXTS,
    extend_info=st.none() | TEXTS,
    quiet=st.none() | st.builds(Quiet, st.builds(QuietHours, st.integers(0, 1439), st.integers(0, 1439)), TEXTS),
)


@given(PAYLOADS)
def test_a_payload_comes_back_as_it_was_packed(packed: Payload) -> None:
    assert Payload.unpack(packed.pack()) == packed


def test_the_packed_form_never_changes_between_releases() -> None:
    packed = orjson.dumps(["c", "GCASH", "PAY", 3, "ja-JP", {"who": "小明 😀"}, "/", '{"a":1}'])

    assert Payload.unpack(packed) == Payload("c", "GCASH", "PAY", 3, "ja-JP", {"who": "小明 😀"}, "/", '{"a":1}')
    assert Payload.unpack(packed).pack() == packed


def test_the_packed_form_of_quiet_hours_never_changes_between_releases() -> None:
    quiet = payload(quiet=Quiet(QuietHours.parse("22:00-07:00"), "Asia/Manila"))

    assert orjson.loads(quiet.pack())[8:] == [[1320, 420, "Asia/Manila"]]
    assert Payload.unpack(quiet.pack()) == quiet


@pytest.mark.parametrize("packed", [b"", b"garbage", payload().pack()[:-4]])
def test_bytes_that_were_cut_short_or_are_no_payload_are_not_read_as_one(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"line \d+ column \d+"):
        Payload.unpack(packed)
