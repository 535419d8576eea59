"""The merchant's side of the API: signs, repeats what is unknown, sends batches, checks who answered.

    from pathlib import Path
    from api_adapter.client import Access, Client, Content, Send, Signer

    access = Access("https://api.example", "merchant-1", Signer(Path("merchant-1.pem").read_bytes(), 1))
    with Client(access) as client:
        answer = client.send(
            Send(
                app_id="333301",
                access_token=token,
                request_id="order-42",
                template_code="ORDER_READY",
                redirect_url="/orders/42",
                templates=(Content(template_parameters={"who": "Mia", "number": "42"}),),
            )
        )

`AsyncClient` is the same for asyncio. More: docs/client.md.
"""

from api_adapter.client.access import Access
from api_adapter.client.answers import (
    Attempt,
    ChannelOutcome,
    Difference,
    MessageStatus,
    Outcome,
    Result,
    SendAnswer,
    Status,
)
from api_adapter.client.asynchronous import AsyncClient
from api_adapter.client.asynchronous_batch import AsyncBatch
from api_adapter.client.batch_jobs import BatchError, BatchLint, BatchResult, BatchStatus, PartAnswer, PartFormat
from api_adapter.client.blocking import Client
from api_adapter.client.blocking_batch import Batch
from api_adapter.client.callbacks import BatchProgress, Callback, CallbackVerifier, MessageFinal
from api_adapter.client.errors import (
    AccessError,
    ClientError,
    JoinError,
    RefusedError,
    UnknownError,
    UntrustedAnswerError,
    UntrustedCallbackError,
)
from api_adapter.client.exchange import Pause
from api_adapter.client.join_outputs import Joined
from api_adapter.client.requests import Content, Expectation, Send, Sendable
from api_adapter.client.waits import Patience
from worker.contract.codes import ResultCode, ResultStatus
from worker.signatures import Signer

__all__ = [
    "Access",
    "AccessError",
    "AsyncBatch",
    "AsyncClient",
    "Attempt",
    "Batch",
    "BatchError",
    "BatchLint",
    "BatchProgress",
    "BatchResult",
    "BatchStatus",
    "Callback",
    "CallbackVerifier",
    "ChannelOutcome",
    "Client",
    "ClientError",
    "Content",
    "Difference",
    "Expectation",
    "JoinError",
    "Joined",
    "MessageFinal",
    "MessageStatus",
    "Outcome",
    "PartAnswer",
    "PartFormat",
    "Patience",
    "Pause",
    "RefusedError",
    "Result",
    "ResultCode",
    "ResultStatus",
    "Send",
    "SendAnswer",
    "Sendable",
    "Signer",
    "Status",
    "UnknownError",
    "UntrustedAnswerError",
    "UntrustedCallbackError",
]
