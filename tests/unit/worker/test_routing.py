import pytest

from tests.fakes.breakers import FakeBreakers
from tests.fakes.clock import FakeClock
from tests.samples import INBOX, PUSH, claim
from worker.breaking import BreakerLimits, Breakers
from worker.contract.users import GatewayRoute, Wallet
from worker.routing import Errand, Router, UndeliverableError, Way

FIRST = GatewayRoute("first", "http://first.test")
SECOND = GatewayRoute("second", "http://second.test")
ASKABLE = GatewayRoute("askable", "http://askable.test", inquiry=True)
UNKNOWN = "O|1700000000000|UNANSWERED|the gateway did not answer in time"
REFUSED = "O|1700000000000|SYSTEM_BUSY|later"


class Stand:
    def __init__(self, *routes: GatewayRoute) -> None:
        self.clock = FakeClock()
        self.breakers = Breakers(FakeBreakers(), self.clock, BreakerLimits())
        self.router = Router(self.breakers)
        self.wallets = {"GCASH": Wallet("GCASH", routes)}

    def way(self, field: str = "O", asked: str = "") -> Way:
        gateways = {PUSH: asked} if asked else {}
        return self.router.way(claim(deliveries={PUSH: field}, gateways=gateways), PUSH, "GCASH", self.wallets)

    def open(self, *gateways: str, milliseconds: int = 5_000) -> None:
        for gateway in gateways:
            self.breakers.of(gateway).open(milliseconds)


def test_R11_a_delivery_goes_to_the_first_gateway_that_serves_its_channel() -> None:
    inbox_alone = GatewayRoute("inbox", "http://inbox.test", frozenset({INBOX}))

    assert Stand(inbox_alone, FIRST, SECOND).way() == Way(FIRST, Errand.SEND, noted=True, fallbacks=("second",))


def test_while_the_breaker_of_the_first_is_open_it_goes_to_the_second_and_that_must_be_noted() -> None:
    stand = Stand(FIRST, SECOND)
    stand.open("first")

    assert stand.way() == Way(SECOND, Errand.SEND, noted=False, fallbacks=("first",))
    assert stand.way(asked="second") == Way(SECOND, Errand.SEND, noted=True, fallbacks=("first",))


def test_once_the_first_is_half_open_it_is_probed_and_meanwhile_the_second_is_used() -> None:
    stand = Stand(FIRST, SECOND)
    stand.open("first", milliseconds=0)

    assert stand.way().route is FIRST
    stand.breakers.of("first").probe(1_000)
    assert stand.way().route is SECOND


def test_back_at_the_first_that_must_be_noted_too() -> None:
    assert Stand(FIRST, SECOND).way(REFUSED, asked="second") == Way(
        FIRST, Errand.SEND, noted=False, fallbacks=("second",)
    )


def test_where_all_are_open_it_waits_for_the_first() -> None:
    stand = Stand(FIRST, SECOND)
    stand.open("first", "second")

    assert stand.way() == Way(FIRST, Errand.SEND, noted=True, fallbacks=("second",))


@pytest.mark.parametrize(("asked", "route"), [("", FIRST), ("first", FIRST), ("second", SECOND)])
def test_what_may_have_been_shown_stays_with_the_gateway_that_was_asked(asked: str, route: GatewayRoute) -> None:
    stand = Stand(FIRST, SECOND)
    stand.open("first", "second")

    assert stand.way(UNKNOWN, asked) == Way(route, Errand.SEND, noted=True, fallbacks=())


def test_what_may_have_been_shown_is_asked_for_first_where_that_is_offered() -> None:
    assert Stand(FIRST, ASKABLE).way(UNKNOWN, "askable") == Way(ASKABLE, Errand.INQUIRE, noted=True, fallbacks=())
    assert Stand(ASKABLE).way(UNKNOWN).errand is Errand.INQUIRE
    assert Stand(ASKABLE).way(REFUSED).errand is Errand.SEND


def test_a_gateway_that_its_wallet_has_no_more_counts_as_the_first() -> None:
    assert Stand(FIRST, SECOND).way(UNKNOWN, "gone").route is FIRST


@pytest.mark.parametrize("wallet", ["GCASH", "UNKNOWN"])
def test_where_no_gateway_serves_it_the_reason_says_what_to_do(wallet: str) -> None:
    stand = Stand(GatewayRoute("inbox", "http://inbox.test", frozenset({INBOX})))

    with pytest.raises(UndeliverableError, match=f"no gateway serves PUSH of wallet {wallet}; see `tidings wallet put"):
        stand.router.way(claim(), PUSH, wallet, stand.wallets)
