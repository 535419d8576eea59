"""Intake and look-ups on fakes: one merchant, one template, one wallet and one user, for a test to change."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import orjson
from starlette.applications import Starlette

from api_adapter.answer_signatures import AnswerHeaders, unsigned
from api_adapter.authentication import Authentication, Check, believe
from api_adapter.batch_jobs import BatchDesk
from api_adapter.batch_sending import BatchSending
from api_adapter.batch_uploading import PartUploads
from api_adapter.clients import Clients
from api_adapter.http.app import make_app
from api_adapter.http.endpoint import Api
from api_adapter.http.opening import Opening
from api_adapter.inquiries import Inquiries
from api_adapter.intake import Intake, IntakeLimits
from api_adapter.judging import TimeLimits
from api_adapter.limiting import limited
from api_adapter.linter import Linter
from api_adapter.linting import SendLint
from api_adapter.origin_pauses import OriginPauses
from api_adapter.origins import Origins
from api_adapter.reading import Reader
from api_adapter.taking import SendResult, Stores
from api_adapter.template_inquiries import TemplateInquiries
from tests.fakes.batch_jobs import FakeBatchJobs
from tests.fakes.callbacks import FakeCallbackRegistry
from tests.fakes.caps import FakeCaps
from tests.fakes.clients import FakeClientRegistry
from tests.fakes.clock import FakeClock
from tests.fakes.durability import FakeDurability
from tests.fakes.figures import FakeFigures
from tests.fakes.hints import FakeHints
from tests.fakes.ledger import FakeLedger
from tests.fakes.origins import FakeBatches, FakeCancellations, FakePauses
from tests.fakes.rates import FakeRates
from tests.fakes.templates import FakeTemplates
from tests.fakes.users import FakeUsers
from tests.fakes.wallets import FakeWallets
from tests.samples import send_body, send_fields
from worker.batch_keeping import BatchKeeper
from worker.contract.codes import ResultCode
from worker.contract.messages import Lane
from worker.contract.payload import Payload
from worker.contract.send_request import SendRequest
from worker.contract.templates import TemplateVersion
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.message_content import ChannelLimits
from worker.rendering import CompiledTemplates

CLIENT = "merchant-1"
APP: str = send_fields()["appId"]
TOKEN: str = send_fields()["accessToken"]
SHARDS = 2
DELIVER_WITHIN = 3_600_000


def payment_notice(**fields: object) -> TemplateVersion:
    """Return the template of the samples: English (`who`), its default, and Japanese (`who`, `amount`)."""
    english, japanese = {"title": "Paid", "body": "Hello, ${who}"}, {"title": "${who} 様", "body": "お支払い ${amount}"}
    whole: dict[str, object] = {
        "code": "PAYMENT_NOTICE",
        "version": 1,
        "channels": ["PUSH", "INBOX"],
        "default_language": "en-US",
        "contents": {
            "en-US": {"PUSH": english, "INBOX": english},
            "ja-JP": {"PUSH": japanese, "INBOX": japanese},
        },
    }
    return TemplateVersion.model_validate(whole | fields)


def user(**fields: Any) -> User:  # noqa: ANN401 - whatever a user has
    """Return the user of the samples' token."""
    return User(**({"customer_id": "2088000000000001", "wallet": "GCASH", "languages": ("en-US",)} | fields))


def grant(whose: User | None = None, **fields: Any) -> TokenGrant:  # noqa: ANN401 - whatever a grant has
    """Return what the samples' token grants: sends of the samples' app, for ever."""
    whole: dict[str, Any] = {"app_id": APP, "scopes": frozenset({SEND_SCOPE}), "expires_at": None}
    return TokenGrant(whose or user(), **whole | fields)


def wallet(**fields: Any) -> Wallet:  # noqa: ANN401 - whatever a wallet has
    """Return the wallet of the samples' user, whose one gateway serves both channels."""
    whole: dict[str, Any] = {"name": "GCASH", "gateways": (GatewayRoute("gcash", "http://wallet.test"),)}
    return Wallet(**whole | fields)


class FrontDesk:
    """What a merchant talks to, and the stores behind it; a test may change each store at any time."""

    def __init__(
        self,
        clients: Mapping[str, Collection[str]] | None = None,
        request_model: type[SendRequest] = SendRequest,
        ledger: FakeLedger | None = None,
    ) -> None:
        """Open with everything that the samples need; without `clients` any caller may send for any app."""
        self.clock = FakeClock()
        self.ledger = ledger or FakeLedger(shards=SHARDS)
        self.hints = FakeHints()
        self.users = FakeUsers({TOKEN: grant()})
        self.templates = FakeTemplates(payment_notice())
        self.wallets = FakeWallets(wallet())
        self.caps = FakeCaps()
        self.callbacks = FakeCallbackRegistry()
        self.rates = FakeRates(self.clock)
        self.app_rates: dict[str, int] = {}
        self.figures = FakeFigures(self.ledger)
        self.durability = FakeDurability()
        self.opening = Opening(self.ledger.ping)
        self.body_timeout = 60_000
        self.registry = FakeClientRegistry()
        known = Clients(self.registry, clients or {})
        self.authentication = Authentication(known, believe)
        self.answer_headers: AnswerHeaders = unsigned
        self.inquiries = Inquiries(known, self.ledger)
        stores = Stores(
            ledger=self.ledger,
            users=self.users,
            templates=self.templates,
            compiled=CompiledTemplates(ChannelLimits()),
            wallets=self.wallets,
            caps=self.caps,
            rates=self.rates,
            callbacks=self.callbacks,
            hints=self.hints,
            clock=self.clock,
            times=TimeLimits(30 * 86_400_000, DELIVER_WITHIN),
        )
        self.intake = Intake(
            known, stores, IntakeLimits(SHARDS, DELIVER_WITHIN, request_model), limited(self.app_rates)
        )
        self.linter = Linter(known, stores, Reader(request_model, limited(self.app_rates)))

        self._furnish_batch_jobs(known)

    def _furnish_batch_jobs(self, known: Clients) -> None:
        held, self.pauses = FakeBatches(self.ledger), FakePauses(self.ledger)
        self.jobs = FakeBatchJobs(self.clock)
        self.keeper = BatchKeeper(
            jobs=self.jobs,
            batches=held,
            pauses=self.pauses,
            cancellations=FakeCancellations(self.ledger),
            clock=self.clock,
            retention=self.ledger.limits.retention,
        )
        origin_pauses = OriginPauses(self.jobs, self.pauses, self.keeper)
        self.origins = Origins.of(known, origin_pauses, FakeCancellations(self.ledger))
        self.batches = BatchDesk(
            clients=known, jobs=self.jobs, batches=held, records=self.ledger, keeper=self.keeper, clock=self.clock
        )
        self.uploads = PartUploads(self.intake, self.jobs, held, pauses=())

    def require(self, check: Check) -> None:
        """Let nothing in that a check refuses, nor anybody who is not registered."""
        self.authentication = Authentication(Clients(self.registry, None), check)

    def take(self, bodies: Sequence[bytes], lane: Lane = Lane.SINGLE, client: str = CLIENT) -> list[SendResult]:
        """Answer a batch."""
        return asyncio.run(self.intake.take({"client-id": client}, bodies, lane))

    def send(self, **replaced: object) -> SendResult:
        """Answer the samples' send with some fields replaced."""
        (answer,) = self.take([send_body(**replaced)])
        return answer

    def lint(self, *bodies: bytes, client: str = CLIENT) -> list[SendLint]:
        """Lint sends together."""
        return asyncio.run(self.linter.lint({"client-id": client}, bodies))

    def code(self, **replaced: object) -> ResultCode:
        """Return the result code of a send."""
        return self.send(**replaced).result.code

    def inquire(self, client: str = CLIENT, /, **fields: object) -> dict[str, Any]:
        """Answer a look-up of one message."""
        return asyncio.run(self.inquiries.one({"client-id": client}, orjson.dumps(fields)))

    def inquire_many(self, client: str = CLIENT, /, **fields: object) -> dict[str, Any]:
        """Answer a look-up of many messages."""
        return asyncio.run(self.inquiries.many({"client-id": client}, orjson.dumps(fields)))

    def taken(self) -> list[Payload]:
        """Return what the ledger keeps of every message that was taken, in order."""
        return [Payload.unpack(record.payload) for record in self.ledger.records.values() if record.payload is not None]

    def app(self, prefix: str = "") -> Starlette:
        """Return the HTTP application."""
        return make_app(self._opened, prefix)

    def api(self) -> Api:
        """Return what the routes of the HTTP application call."""
        return Api(
            authentication=self.authentication,
            answer_headers=self.answer_headers,
            intake=self.intake,
            batch_sending=BatchSending(self.intake, FakeBatches(self.ledger)),
            batches=self.batches,
            uploads=self.uploads,
            inquiries=self.inquiries,
            linter=self.linter,
            template_inquiries=TemplateInquiries(self.templates, CompiledTemplates(ChannelLimits())),
            origins=self.origins,
            records=self.ledger,
            figures=self.figures,
            opening=self.opening,
            durability=self.durability,
            body_timeout=self.body_timeout,
        )

    def _opened(self) -> AbstractAsyncContextManager[Api]:
        return nullcontext(self.api())
