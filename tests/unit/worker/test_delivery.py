import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from tests.back_office import BackOffice, OfficeHours, a_moment, notice, notices
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.front_desk import payment_notice, wallet
from tests.ledger_driver import DAY
from tests.samples import INBOX, PUSH, payload
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.errors import LedgerUnavailableError
from worker.contract.identity import delivery_key
from worker.contract.messages import (
    LONE_CRASHES,
    Channel,
    Claim,
    DeadCause,
    DeliveryState,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
)
from worker.contract.outcomes import MessageOutcome
from worker.contract.payload import Payload
from worker.contract.users import GatewayRoute, Wallet

S, F, O = DeliveryState.S, DeliveryState.F, DeliveryState.OPEN  # noqa: E741 - as records write it
BAD_TEMPLATE = {"en-US": {"PUSH": {"title": "T", "body": "${who"}, "INBOX": {"title": "T", "body": "B"}}}
SECRET = "a user's own text"


def states(outcome: MessageOutcome) -> dict[Channel, DeliveryState]:
    return {delivery.channel: delivery.state for delivery in outcome.deliveries}


def codes(outcome: MessageOutcome) -> set[tuple[DeliveryState, str]]:
    return {(delivery.state, delivery.code) for delivery in outcome.deliveries}


def texts(outcome: MessageOutcome) -> set[str]:
    return {delivery.message for delivery in outcome.deliveries}


def keys(*messages: NewMessage) -> list[str]:
    return [delivery_key(message.message_id, channel) for message in messages for channel in Channel]


def test_R66_both_channels_travel_in_one_call_each_with_its_own_id() -> None:
    office, message = BackOffice(), notice(says=payload(extend_info='{"a":1}'))

    (outcome,) = office.deliver(message)

    (call,) = office.gateway.calls
    assert call.route == GatewayRoute("gcash", "http://wallet.test")
    assert call.messages == (
        WalletMessage(
            message_id=f"{message.message_id}-PUSH",
            customer_id="2088000000000001",
            channel=PUSH,
            template_code="PAYMENT_NOTICE",
            content='{"title":"Paid","content":"Hello, XiaoMing","linkUrl":"/pages/1"}',
            redirect_url="/pages/1",
            platform_template_code="PAYMENT_NOTICE",
            extend_info='{"a":1}',
        ),
        WalletMessage(
            message_id=f"{message.message_id}-INBOX",
            customer_id="2088000000000001",
            channel=INBOX,
            template_code="PAYMENT_NOTICE",
            content='{"header":{"appIcon":"","appName":"","target":{"path":"/pages/1"}},'
            '"body":{"title":"Paid","content":"Hello, XiaoMing","target":{"path":"/pages/1"}}}',
            redirect_url="/pages/1",
            platform_template_code="PAYMENT_NOTICE",
            extend_info='{"a":1}',
        ),
    )
    assert states(outcome) == {PUSH: S, INBOX: S}
    assert outcome.timeline[0].worker == "w1"


def test_R66_the_wallets_own_name_of_a_template_goes_along() -> None:
    office = BackOffice()
    named = payment_notice(platform_template_code="ALIPAY_PAY_1")
    office.templates.versions = {("PAYMENT_NOTICE", 1): named}

    office.deliver(notice())

    assert {message.platform_template_code for message in office.gateway.calls[0].messages} == {"ALIPAY_PAY_1"}


def test_R60_a_message_is_rendered_with_the_version_and_language_it_was_taken_with() -> None:
    office = BackOffice()
    newer = {"en-US": {"PUSH": {"title": "T", "body": "new"}, "INBOX": {"title": "T", "body": "new"}}}
    office.templates.versions["PAYMENT_NOTICE", 2] = payment_notice(version=2, contents=newer)
    japanese = payload(language="ja-JP", parameters={"who": "小明", "amount": "$12.50"})

    office.deliver(notice("old", says=japanese), notice("new", says=payload(template_version=2)))

    contents = [message.content for message in office.gateway.calls[0].messages if message.channel is PUSH]
    assert contents == [
        '{"title":"小明 様","content":"お支払い $12.50","linkUrl":"/pages/1"}',
        '{"title":"T","content":"new","linkUrl":"/pages/1"}',
    ]


def test_R11_each_channel_goes_to_the_first_gateway_of_its_wallet_that_serves_it() -> None:
    office = BackOffice()
    push = GatewayRoute("push", "http://push.test", frozenset({PUSH}))
    both, late = GatewayRoute("both", "http://both.test"), GatewayRoute("late", "http://late.test")
    office.wallets.wallets = {"GCASH": wallet(gateways=(push, both, late)), "TNG": wallet(name="TNG", gateways=(late,))}

    office.deliver(notice("1"), notice("2", says=payload(wallet="TNG")))

    sent = {(call.route.name, message.channel) for call in office.gateway.calls for message in call.messages}
    assert sent == {("push", PUSH), ("both", INBOX), ("late", PUSH), ("late", INBOX)}


def test_R65_messages_of_a_chunk_share_calls_across_channels() -> None:
    office = BackOffice()

    outcomes = office.deliver(*notices(15))

    assert [len(call) for call in office.calls] == [20, 10]
    assert all(states(outcome) == {PUSH: S, INBOX: S} for outcome in outcomes)


def test_R69_messages_that_were_tried_before_travel_in_calls_half_as_large() -> None:
    office, messages = BackOffice(), notices(10)

    async def play(office: BackOffice) -> None:
        hint = await office.accept(messages)
        office.gateway.answer_calls("gcash", Answer(AnswerKind.UNANSWERED))
        for _ in range(2):
            await office.dispatcher.take(hint)
            await office.idle()
            office.ledger.now += DAY // 10

    office.open(play)

    assert [len(call) for call in office.calls] == [20, 10, 10]


def test_a_channel_that_was_delivered_is_not_sent_again_with_the_other() -> None:
    office, message = BackOffice(), notice()
    push, inbox = keys(message)
    office.gateway.answer(inbox, Answer(AnswerKind.RETRYABLE, "BUSY", "later"))

    async def play(office: BackOffice) -> None:
        hint = await office.accept([message])
        await office.dispatcher.take(hint)
        await office.idle()
        office.ledger.now += DAY // 10
        await office.dispatcher.take(hint)

    office.open(play)

    assert office.calls == [[push, inbox], [inbox]]
    assert states(office.outcome(message)) == {PUSH: S, INBOX: S}


def test_a_message_is_settled_when_the_last_of_its_channels_is_answered() -> None:
    office, message = BackOffice(), notice()
    routes = tuple(GatewayRoute(channel, f"http://{channel}.test", frozenset({channel})) for channel in Channel)
    office.wallets.wallets = {"GCASH": wallet(gateways=routes)}

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("INBOX")
        await office.take(message)
        await a_moment()
        assert len(office.gateway.calls) == 2
        assert states(office.outcome(message)) == {PUSH: O, INBOX: O}
        answer.set()

    office.open(play)

    assert states(office.outcome(message)) == {PUSH: S, INBOX: S}


def test_R43_a_message_that_expires_while_it_waits_for_a_call_is_not_sent() -> None:
    office, first, code = BackOffice(OfficeHours(calls=1)), notice("first"), notice("code")

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        await office.take(first)
        await a_moment()
        await office.take(replace(code, deliver_within=5_000))
        await a_moment()
        office.clock.advance(5_000)
        office.ledger.now += 5_000
        answer.set()
        await office.idle()
        await office.dispatcher.take(Hint(Lane.SINGLE, 0, (code.message_id,)))

    office.open(play)

    assert office.calls == [keys(first)]
    assert codes(office.outcome(code)) == {(F, "EXPIRED")}


def test_R43_a_message_past_its_deadline_is_not_sent() -> None:
    office, message, fresh = BackOffice(), notice("old"), notice("fresh")

    async def play(office: BackOffice) -> None:
        old = await office.accept([message])
        office.ledger.now += DAY
        new = await office.accept([fresh])
        await office.dispatcher.take(Hint(Lane.SINGLE, 0, old.message_ids + new.message_ids))

    office.open(play)

    assert office.calls == [keys(fresh)]
    assert codes(office.outcome(message)) == {(F, "EXPIRED")}
    assert office.outcome(message).dead_cause == DeadCause.EXPIRED


def test_R43_a_message_is_still_sent_a_moment_before_its_deadline() -> None:
    office, message = BackOffice(), notice()

    async def play(office: BackOffice) -> None:
        hint = await office.accept([message])
        office.ledger.now += DAY - 1
        await office.dispatcher.take(hint)

    office.open(play)

    assert states(office.outcome(message)) == {PUSH: S, INBOX: S}


BAD_PAYLOADS = {
    "garbage": b"garbage",
    "nothing": b"",
    "cut short": payload().pack()[:-5],
    "too few fields": b'["c", "GCASH"]',
    "too many fields": payload().pack()[:-1] + b',"new"]',
    "an object": b'{"wallet": "GCASH"}',
    "wrong types": b'["c", ["GCASH"], {"a": 1}, "1", "en", null, 5, []]',
    "no parameters": payload().pack().replace(b'{"who":"XiaoMing"}', b"null"),
}


@pytest.mark.parametrize("packed", BAD_PAYLOADS)
def test_an_unreadable_payload_is_undeliverable_and_takes_no_other_message_with_it(packed: str) -> None:
    office, good = BackOffice(), [notice("1"), notice("2")]

    bad, *others = office.deliver(notice("bad", says=BAD_PAYLOADS[packed]), *good)

    assert codes(bad) == {(F, "PROCESS_FAIL")}
    assert bad.dead_cause == DeadCause.UNDELIVERABLE
    assert texts(bad) == {
        "its payload can't be read: another release of tidings stored it; send it again with a new requestId",
    }
    assert all(states(other) == {PUSH: S, INBOX: S} for other in others)
    assert office.calls == [keys(*good)]


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (
            payload(wallet="NOBODY"),
            "no gateway serves {channel} of wallet NOBODY; see `tidings wallet put --help`",
        ),
        (
            payload(template_code="GONE"),
            "template GONE version 1 is gone; put it again and replay",
        ),
        (
            payload(template_version=9),
            "template PAYMENT_NOTICE version 9 is gone; put it again and replay",
        ),
        (
            payload(template_code="UNCLOSED"),
            'template UNCLOSED: en-US PUSH body, character 1: this "${{" is never closed',
        ),
        (
            payload(template_code="OLD"),
            "the fake template is unreadable; take its code from `unreadable`",
        ),
        (
            payload(parameters={"who": SECRET * 100}),
            "{channel} body has 1707 characters, at most 1024 are allowed: shorten the template or its parameters",
        ),
        (
            payload(parameters={"whom": SECRET}),
            "{channel}: the template or the parameters lack 'who'",
        ),
        (
            payload(language="fr"),
            "{channel}: the template or the parameters lack ('fr', <Channel.{channel}: '{channel}'>)",
        ),
    ],
    ids=["wallet", "template", "version", "syntax", "release", "length", "parameter", "language"],
)
def test_a_message_that_cannot_be_rendered_or_routed_takes_no_other_with_it(says: Payload, reason: str) -> None:
    office, good = BackOffice(), [notice("1"), notice("2")]
    office.templates.versions["UNCLOSED", 1] = payment_notice(code="UNCLOSED", contents=BAD_TEMPLATE)
    office.templates.unreadable.add("OLD")

    bad, *others = office.deliver(notice("bad", says=says), *good)

    found = {delivery.channel: delivery.message for delivery in bad.deliveries if delivery.state is F}
    assert found
    assert found == {channel: reason.format(channel=channel) for channel in found}
    assert bad.dead_cause == DeadCause.UNDELIVERABLE
    assert all(states(other) == {PUSH: S, INBOX: S} for other in others)


def test_a_channel_that_no_gateway_serves_is_undeliverable_and_the_other_is_delivered() -> None:
    office = BackOffice()
    office.wallets.wallets = {"GCASH": wallet(gateways=(GatewayRoute("push", "http://p.test", frozenset({PUSH})),))}

    (outcome,) = office.deliver(notice())

    assert states(outcome) == {PUSH: S, INBOX: F}
    assert outcome.whole.partial
    assert outcome.dead_cause == DeadCause.UNDELIVERABLE


class BrokenWallets(dict[str, Wallet]):
    """Have a bug whose text says what a user was told."""

    @override
    def get(self, name: str, default: object = None) -> Wallet | None:  # type: ignore[override]  # as it is called
        if name == "BROKEN":
            raise RuntimeError(SECRET)
        return super().get(name)


def test_a_bug_that_one_message_meets_takes_no_other_with_it_and_is_told_without_its_text() -> None:
    office = BackOffice()
    office.wallets.wallets = BrokenWallets(office.wallets.wallets)

    with capture_logs() as logs:
        bad, good = office.deliver(notice("bad", says=payload(wallet="BROKEN")), notice("good"))

    assert states(good) == {PUSH: S, INBOX: S}
    assert bad.dead_cause == DeadCause.UNDELIVERABLE
    assert texts(bad) == {"tidings itself failed on it (RuntimeError); see the worker's log"}
    broken = [entry for entry in logs if entry["event"] == "preparing_broke"]
    assert [entry["error"] for entry in broken] == ["RuntimeError"] * 2
    assert "in get" in broken[0]["where"]
    assert SECRET not in str(logs)


def test_a_users_text_is_in_no_reason() -> None:
    too_long, unreadable = payload(parameters={"who": SECRET * 100}), payload(parameters={"who": SECRET}).pack()[:-1]

    outcomes = BackOffice().deliver(notice("1", says=too_long), notice("2", says=unreadable))

    assert not any(SECRET in text for outcome in outcomes for text in texts(outcome))


def test_a_second_hint_for_the_same_messages_gets_nothing() -> None:
    office, messages = BackOffice(), notices(2)

    async def play(office: BackOffice) -> None:
        answer = office.gateway.hang("gcash")
        hint = await office.accept(messages)
        assert await office.delivery.deliver(hint) == 2
        assert await office.delivery.deliver(hint) == 0
        answer.set()

    assert office.open(play).calls == [keys(*messages)]


def test_a_hint_for_messages_that_nobody_knows_is_no_work() -> None:
    office = BackOffice()
    office.templates.away = office.wallets.away = True

    assert asyncio.run(office.delivery.deliver(Hint(Lane.BULK, 0, ("0" * 32,)))) == 0


def test_two_claims_never_have_the_same_id() -> None:
    claims: list[str] = []

    class Noting(FakeLedger):
        @override
        async def claim(
            self, shard: int, message_ids: Sequence[str], claim_id: str, kind: HintKind = HintKind.NORMAL
        ) -> list[Claim]:
            claims.append(claim_id)
            return await super().claim(shard, message_ids, claim_id, kind)

    office = BackOffice(ledger=Noting(shards=1))
    for _ in range(3):
        asyncio.run(office.delivery.deliver(Hint(Lane.BULK, 0, ("0" * 32,))))

    assert len(set(claims)) == 3
    assert all(len(claim) == 16 for claim in claims)


def test_a_claim_that_is_not_answered_leaves_nothing_in_hand() -> None:
    office = BackOffice()
    office.ledger.away = True

    with pytest.raises(LedgerUnavailableError):
        asyncio.run(office.delivery.deliver(Hint(Lane.BULK, 0, ("0" * 32,))))

    assert len(office.holdings) == 0


@pytest.mark.parametrize("store", ["templates", "wallets"])
def test_a_store_that_is_away_after_the_claim_gives_the_messages_back_unsent_and_without_a_crash(store: str) -> None:
    office, messages = BackOffice(), notices(2)
    getattr(office, store).away = True

    outcomes = office.deliver(*messages)

    assert len(office.holdings) == 0
    assert office.calls == []
    assert {(outcome.tries, outcome.crashes, outcome.next_at) for outcome in outcomes} == {(0, 0, office.ledger.now)}


def test_a_message_may_be_sent_until_its_lease_ends_counted_from_before_the_claim_was_asked_for() -> None:
    class Slow(FakeLedger):
        @override
        async def claim(
            self, shard: int, message_ids: Sequence[str], claim_id: str, kind: HintKind = HintKind.NORMAL
        ) -> list[Claim]:
            clock.advance(1_000)
            return await super().claim(shard, message_ids, claim_id, kind)

    office = BackOffice(OfficeHours(lease=6_000, call_timeout=10_000), Slow(shards=1))
    clock: FakeClock = office.clock

    async def main() -> None:
        office.gateway.hang("gcash")
        await office.delivery.deliver(await office.accept(notices(1)))
        await asyncio.sleep(0)  # calls start once all who run have put their parcels
        await asyncio.sleep(0)

    asyncio.run(main())

    (held,) = office.holdings._held
    # The call began a second after the claim was asked for; from then on it may take its own time and a lease.
    assert (held.deadline, held.renew_until) == (6.0, 17.0)


def test_R69_a_wish_to_wait_hands_the_rest_back_to_the_ledger_and_is_shared() -> None:
    office, messages = BackOffice(OfficeHours(calls=1)), notices(15)
    wish = Answer(AnswerKind.THROTTLED, "HTTP_429", "the gateway asked to wait", 7_000)
    office.gateway.answer_calls("gcash", wish)

    outcomes = office.deliver(*messages)

    assert len(office.calls) == 1
    assert office.breakers.of("gcash").wait == 7_000
    assert asyncio.run(office.breaker_store.probe("gcash")) == 7_000
    assert {outcome.tries for outcome in outcomes} == {0}
    assert all(outcome.next_at is not None and outcome.next_at >= office.ledger.now + 7_000 for outcome in outcomes)


def poisoned(office: BackOffice, message: NewMessage) -> Hint:
    """Let workers die while they held the message alone, until it is poison."""

    async def crash() -> Hint:
        hint = await office.accept([message])
        alone = Hint(hint.lane, hint.shard, hint.message_ids, HintKind.ALONE)
        for number in range(LONE_CRASHES):
            assert await office.ledger.claim(0, alone.message_ids, f"lost-{number}", alone.kind)
            office.ledger.now += office.ledger.limits.lease
        return alone

    return asyncio.run(crash())


@pytest.mark.parametrize("says", [payload(), b"what kills whoever reads it"])
def test_poison_is_never_sent_but_dead_lettered_as_not_known(says: Payload | bytes) -> None:
    office, message = BackOffice(), notice("poison", says)
    hint = poisoned(office, message)

    with capture_logs() as logs:
        office.open(lambda office: office.dispatcher.take(hint))

    outcome = office.outcome(message)
    assert office.calls == []
    assert outcome.dead_cause == DeadCause.POISON
    assert {(delivery.status, delivery.reason) for delivery in outcome.deliveries} == {("U", "UNANSWERED")}
    assert [entry["message_id"] for entry in logs if entry["event"] == "message_is_poison"] == [message.message_id]


def test_poison_leaves_a_channel_that_was_delivered_before_as_it_is() -> None:
    earlier, message = BackOffice(), notice("poison")
    earlier.gateway.answer(delivery_key(message.message_id, Channel.INBOX), Answer(AnswerKind.RETRYABLE, "BUSY"))
    earlier.deliver(message)
    office = BackOffice(ledger=earlier.ledger)
    hint = poisoned(office, message)

    office.open(lambda office: office.dispatcher.take(hint))

    outcome = office.outcome(message)
    assert {delivery.channel: delivery.status for delivery in outcome.deliveries} == {"PUSH": "S", "INBOX": "U"}
    assert outcome.dead_cause == DeadCause.POISON


TWO_GATEWAYS = (GatewayRoute("first", "http://first.test"), GatewayRoute("second", "http://second.test"))


def office_of_two(ledger: FakeLedger | None = None) -> BackOffice:
    office = BackOffice(ledger=ledger)
    office.wallets.wallets = {"GCASH": wallet(gateways=TWO_GATEWAYS)}
    return office


def office_without_the_first(ledger: FakeLedger | None = None) -> BackOffice:
    """Return an office whose first gateway's breaker is open."""
    office = office_of_two(ledger)
    asyncio.run(office.breaker_store.open("first", "HTTP_503", 60_000))
    asyncio.run(office.breakers.refresh())
    return office


def gateways_called(office: BackOffice) -> list[str]:
    return [call.route.name for call in office.gateway.calls]


def test_while_the_breaker_of_the_first_gateway_is_open_the_second_delivers() -> None:
    office, message = office_without_the_first(), notice()

    (outcome,) = office.deliver(message)

    assert gateways_called(office) == ["second"]
    assert states(outcome) == {PUSH: S, INBOX: S}


def test_R69_a_gateway_that_asks_for_an_hour_delays_nothing_that_another_can_deliver() -> None:
    office, message = office_of_two(), notice()
    office.gateway.answer_calls("first", Answer(AnswerKind.THROTTLED, "HTTP_503", "", 3_600_000))

    async def play(office: BackOffice) -> None:
        hint = await office.accept([message])
        await office.dispatcher.take(hint)
        await office.idle()
        await office.dispatcher.take(hint)

    office.open(play)

    assert gateways_called(office) == ["first", "second"]
    assert states(office.outcome(message)) == {PUSH: S, INBOX: S}


def test_R69_what_is_beyond_a_gateways_rate_waits_for_it_and_burns_no_try() -> None:
    office = BackOffice()
    paced = GatewayRoute("paced", "http://wallet.test", rate=2)
    office.wallets.wallets = {"GCASH": wallet(gateways=(paced, GatewayRoute("second", "http://second.test")))}
    messages = notices(30)

    office.deliver(*messages)

    assert set(gateways_called(office)) == {"paced"}
    outcomes = [office.outcome(message) for message in messages]
    waiting = [outcome for outcome in outcomes if outcome.settled_at is None]
    assert len(waiting) >= 28
    assert {code for outcome in waiting for code in codes(outcome)} <= {(O, "GATEWAY_RATE"), (S, "")}
    assert {outcome.tries for outcome in waiting} <= {0, 1}
    assert all((outcome.next_at or 0) > office.ledger.now for outcome in waiting)


def test_R69_what_waits_for_a_gateways_rate_holds_up_no_other_gateway() -> None:
    """Far more messages than slots, for a gateway that takes two a second, and one for another wallet behind them."""
    office = BackOffice(OfficeHours(slots=40))
    office.wallets.wallets = {
        "GCASH": wallet(gateways=(GatewayRoute("paced", "http://wallet.test", rate=2),)),
        "TNG": wallet(name="TNG", gateways=(GatewayRoute("tng", "http://tng.test"),)),
    }
    other = notice("ff" * 16, says=payload(wallet="TNG"))

    office.deliver(*notices(100), other)

    assert states(office.outcome(other)) == {PUSH: S, INBOX: S}
    assert office.slots.used == 0


def test_what_may_have_been_shown_by_one_gateway_is_sent_to_no_other() -> None:
    office, message = office_of_two(), notice()
    office.gateway.answer_calls("first", Answer(AnswerKind.UNANSWERED))

    async def play(office: BackOffice) -> None:
        hint = await office.accept([message])
        await office.dispatcher.take(hint)
        await office.idle()
        office.breakers.of("first").open(2_000)
        office.ledger.now += DAY // 10
        await office.dispatcher.take(hint)
        await office.idle()
        assert gateways_called(office) == ["first"]
        office.breakers.of("first").close()
        office.ledger.now += DAY // 10
        await office.dispatcher.take(hint)

    office.open(play)

    assert gateways_called(office) == ["first", "first"]


def test_a_worker_that_dies_while_it_asks_the_second_gateway_leaves_behind_that_it_did() -> None:
    """The next one must not take the message to the first, which knows nothing of it."""
    ledger = FakeLedger(shards=1)
    dying, message = office_without_the_first(ledger), notice()

    async def die() -> None:
        dying.gateway.hang("second")
        await dying.delivery.deliver(await dying.accept([message]))
        await a_moment()

    asyncio.run(die())
    assert gateways_called(dying) == ["second"]
    ledger.now += ledger.limits.lease
    office = office_of_two(ledger)
    suspects = Hint(Lane.SINGLE, 0, (message.message_id,), HintKind.SUSPECTS)

    office.open(lambda office: office.dispatcher.take(suspects))

    assert gateways_called(office) == ["second"]
    assert states(office.outcome(message)) == {PUSH: S, INBOX: S}


def test_what_can_not_be_noted_is_not_sent() -> None:
    class NoNotes(FakeLedger):
        @override
        async def note_gateways(self, notes: Sequence[GatewayNote]) -> list[bool]:
            raise LedgerUnavailableError("away")

    office, message = office_without_the_first(NoNotes(shards=1)), notice()

    with capture_logs() as logs:
        (outcome,) = office.deliver(message)

    assert office.calls == []
    assert (states(outcome), outcome.tries) == ({PUSH: O, INBOX: O}, 0)
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["diversion_not_noted"]


def test_what_another_claim_has_is_not_diverted() -> None:
    class Lost(FakeLedger):
        @override
        async def note_gateways(self, notes: Sequence[GatewayNote]) -> list[bool]:
            return [note.message_id != lost.message_id for note in notes]

    lost, kept = notice("lost"), notice("kept")
    office = office_without_the_first(Lost(shards=1))

    office.deliver(lost, kept)

    assert office.calls == [keys(kept)]


def test_a_message_whose_answer_was_lost_is_asked_for_before_it_is_sent_again() -> None:
    office, shown, lost = BackOffice(), notice("shown"), notice("lost")
    office.wallets.wallets = {"GCASH": wallet(gateways=(GatewayRoute("gcash", "http://wallet.test", inquiry=True),))}
    office.gateway.answer_calls("gcash", Answer(AnswerKind.UNANSWERED))
    office.gateway.inquiry_answers = [[Answer(AnswerKind.DELIVERED)] * 2 + [None] * 2]

    async def play(office: BackOffice) -> None:
        hint = await office.accept([shown, lost])
        await office.dispatcher.take(hint)
        await office.idle()
        office.ledger.now += DAY // 10
        await office.dispatcher.take(hint)

    office.open(play)

    assert office.gateway.inquiries == [keys(shown, lost)]
    assert office.calls == [keys(shown, lost), keys(lost)]
    assert states(office.outcome(shown)) == states(office.outcome(lost)) == {PUSH: S, INBOX: S}
