"""Which gateway may have shown a message: kept from claim to claim, written down before another one is asked (R69)."""

from tests.ledger_driver import LedgerDriver, OpenLedger, learnt, new_message, retry
from worker.contract.messages import Channel, Claim, DeliveryState, DeliveryUpdate, GatewayNote, HintKind

LEASE = 6_000
MESSAGE = new_message("r1", channels=tuple(Channel))
NAMED = [MESSAGE.message_id]
O = DeliveryState.OPEN  # noqa: E741 - as records write it


def taken(open_ledger: OpenLedger) -> tuple[LedgerDriver, Claim]:
    ledger = open_ledger(lease=LEASE)
    ledger.accept([MESSAGE])
    return ledger, ledger.claim(NAMED)[0]


def note(claim: Claim, **gateways: str) -> GatewayNote:
    names = {Channel(channel): name for channel, name in gateways.items()}
    return GatewayNote(claim.message_id, claim.claim_id, claim.attempt, names)


def test_at_first_no_gateway_is_written_down(open_ledger: OpenLedger) -> None:
    _, claim = taken(open_ledger)

    assert claim.gateways == {}


def test_the_gateway_that_answered_retry_is_known_to_the_next_claim(open_ledger: OpenLedger) -> None:
    ledger, claim = taken(open_ledger)
    ledger.settle([retry(claim, 0, DeliveryUpdate(Channel.PUSH, O, "BUSY", gateway="tng"))])

    (again,) = ledger.claim(NAMED, "claim-2")

    assert again.gateways == {Channel.PUSH: "tng"}


def test_a_gateway_that_was_noted_is_known_after_the_worker_died(open_ledger: OpenLedger) -> None:
    ledger, claim = taken(open_ledger)
    for _ in range(2):
        assert ledger.note_gateways([note(claim, INBOX="tng")]) == [True]
    ledger.advance(LEASE)

    (again,) = ledger.claim(NAMED, "claim-2", kind=HintKind.SUSPECTS)

    assert again.gateways == {Channel.INBOX: "tng"}
    assert again.deliveries[Channel.INBOX].split("|")[2] == "UNANSWERED"


def test_a_note_of_one_channel_leaves_the_other_as_it_is(open_ledger: OpenLedger) -> None:
    ledger, claim = taken(open_ledger)
    ledger.note_gateways([note(claim, PUSH="tng", INBOX="dana")])
    ledger.note_gateways([note(claim, INBOX="gcash")])

    (again,) = ledger.claim(NAMED)

    assert again.gateways == {Channel.PUSH: "tng", Channel.INBOX: "gcash"}


def test_who_holds_the_message_no_more_notes_nothing(open_ledger: OpenLedger) -> None:
    ledger, claim = taken(open_ledger)
    ledger.advance(LEASE)
    (newer,) = ledger.claim(NAMED, "claim-2", kind=HintKind.SUSPECTS)
    before = ledger.state()

    assert ledger.note_gateways([note(claim, PUSH="tng")]) == [False]
    assert ledger.state() == before
    ledger.settle([retry(newer, 0, learnt(O, "BUSY"))])
    assert ledger.note_gateways([note(newer, PUSH="tng")]) == [False]


def test_of_a_message_never_seen_nothing_is_noted(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    assert ledger.note_gateways([GatewayNote("0" * 32, "claim-1", 1, {Channel.PUSH: "tng"})]) == [False]
    assert ledger.note_gateways([]) == []
    assert ledger.state().records == {}
