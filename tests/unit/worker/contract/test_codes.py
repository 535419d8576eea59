from hypothesis import given
from hypothesis import strategies as st

from worker.contract.codes import MAX_RESULT_MESSAGE, SUCCESS, UNKNOWN, Result, ResultCode, ResultStatus, shorten


def test_R30_a_taken_send_is_success_with_the_pages_own_text() -> None:
    assert Result(ResultCode.SUCCESS, ResultStatus.S, "success") == SUCCESS


def test_R31_a_send_that_may_have_been_taken_is_unknown_with_the_pages_own_text() -> None:
    text = "An API calling is failed, which is caused by unknown reasons."

    assert Result(ResultCode.UNKNOWN_EXCEPTION, ResultStatus.U, text) == UNKNOWN


def test_every_result_code_fits_its_field_and_is_spelt_as_it_is_named() -> None:
    assert all(len(code) <= 64 for code in ResultCode)
    assert all(code.name == code.value for code in ResultCode)


def test_a_refusal_is_final() -> None:
    assert Result.refused(ResultCode.PARAM_ILLEGAL, "$.appId: is required") == Result(
        ResultCode.PARAM_ILLEGAL,
        ResultStatus.F,
        "$.appId: is required",
    )


def test_a_refusal_with_many_faults_still_fits_result_message() -> None:
    faults = "; ".join(f"$.templates[{number}].language: is not a BCP 47 language tag" for number in range(20))

    message = Result.refused(ResultCode.PARAM_ILLEGAL, faults).message

    assert len(message) == 256
    assert message == faults[:255] + "…"


@given(st.text(max_size=600))
def test_R14_texts_are_cut_by_characters_and_only_when_they_are_too_long(text: str) -> None:
    short = shorten(text)

    assert len(short) <= MAX_RESULT_MESSAGE
    assert (short == text) == (len(text) <= MAX_RESULT_MESSAGE)
    assert text.startswith(short.removesuffix("…"))


def test_R14_256_emoji_are_not_cut() -> None:
    assert shorten("😀" * 256) == "😀" * 256
    assert shorten("收" * 257) == "收" * 255 + "…"
