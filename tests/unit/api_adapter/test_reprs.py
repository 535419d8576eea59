"""Reprs of what carries sends through the API and its client: neither tokens nor users' texts."""

import pytest

from api_adapter.authentication import SignedCall
from api_adapter.batch_files import FilePart
from api_adapter.batch_records import RowFormat
from api_adapter.batch_rows import Row
from api_adapter.batch_uploading import PartBody
from api_adapter.cli.token_lines import TokenLine
from api_adapter.client.batch_jobs import PartFormat
from api_adapter.client.batch_joining import UploadPart
from api_adapter.client.operations import Readable
from api_adapter.client.requests import Content, Send
from api_adapter.decompressing import Encoding
from api_adapter.intake import BatchedSend
from api_adapter.judging import Facts, TimeLimits
from api_adapter.previewing import ChannelView, Preview
from api_adapter.send_files.lines import Line
from tests.front_desk import payment_notice
from tests.samples import PUSH
from worker.languages import Why
from worker.message_content import ChannelLimits
from worker.rendering import Choice, compile_template

MARK = "MARKED"
BYTES = MARK.encode()
HOLDERS = (
    BatchedSend(0, BYTES),
    ChannelView(PUSH, {"title": MARK}, {}, ""),
    Choice("en-US", {MARK: MARK}, 0, Why.DEFAULT),
    Facts({MARK: None}, {}, {}, 0, TimeLimits(0, 0)),
    FilePart(BYTES, 0),
    Line(1, BYTES),
    PartBody(RowFormat.CSV, Encoding.PLAIN, BYTES),
    Preview(compile_template(payment_notice(), ChannelLimits()), (), MARK),
    Readable(0, "r1", BYTES),
    Row(1, {MARK: MARK}),
    Send(
        app_id="app",
        access_token=MARK,
        request_id="r1",
        template_code="T",
        templates=(Content(template_parameters={MARK: MARK}),),
        redirect_url=MARK,
        action_url=MARK,
        extend_info=MARK,
    ),
    SignedCall("/send", {}, BYTES, ""),
    TokenLine.model_validate({"accessToken": MARK, "appId": "app", "customerId": MARK, "wallet": "GCASH"}),
    UploadPart(BYTES, PartFormat.CSV),
)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_neither_token_nor_text_is_in_the_repr_or_text_of_what_holds_them(holder: object) -> None:
    assert repr(holder).startswith(f"{type(holder).__name__}(")
    assert MARK not in repr(holder)
    assert MARK not in str(holder)
