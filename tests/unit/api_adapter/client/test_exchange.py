"""What is read of an answer, without any network."""

import orjson
import pytest

from api_adapter.client import Access, RefusedError, SendAnswer
from api_adapter.client.exchange import Caller, Content, HttpReply
from worker.clock import SystemClock


@pytest.mark.parametrize(("code", "message"), [(63, 255), (64, 256), (65, 257)])
def test_what_is_no_answer_of_the_api_is_shown_up_to_the_lengths_of_a_result(code: int, message: int) -> None:
    said = {"resultCode": "C" * code, "resultStatus": "F", "resultMessage": "m" * message}
    call = Caller(Access("https://api.test", "m"), SystemClock()).call("/x", Content(b"{}"), 1.0, SendAnswer)
    next(call)

    with pytest.raises(RefusedError) as refused:
        call.send(HttpReply(403, {}, orjson.dumps({"result": said})))

    result = refused.value.result
    assert (len(result.code), len(result.message)) == (min(code, 64), min(message, 256))
