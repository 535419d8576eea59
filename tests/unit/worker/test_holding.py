import asyncio

from tests.back_office import notices
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.samples import claim
from worker.adapters.redis.limits import LedgerLimits
from worker.contract.messages import CHUNK, Hint, HintKind, Lane
from worker.holding import Held, Holdings, hints_of

LEASE = 6_000


class Stand:
    """A process that has claimed messages from a ledger whose clock goes with its own."""

    def __init__(self, number: int = 2) -> None:
        self.clock = FakeClock()
        self.ledger = FakeLedger(LedgerLimits(lease=LEASE), shards=1)
        self.holdings = Holdings(self.ledger, self.clock, LEASE)
        self.held = asyncio.run(self._claim(number))
        self.holdings.add(self.held)

    async def _claim(self, number: int) -> list[Held]:
        messages = notices(number)
        await self.ledger.accept("shop", Lane.BULK, messages)
        claims = await self.ledger.claim(0, [message.message_id for message in messages], "c1")
        return [Held(claim, Lane.BULK, 0, LEASE / 1000, LEASE / 1000 + 10) for claim in claims]

    def advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.ledger.now += milliseconds

    def renew(self) -> None:
        asyncio.run(self.holdings.renew())

    @property
    def deadlines(self) -> list[float]:
        return [one.deadline for one in self.held]

    @property
    def leases(self) -> list[int]:
        """Milliseconds that each lease has left in the ledger."""
        return [self.ledger.records[one.claim.message_id].lease - self.ledger.now for one in self.held]


def test_renewing_extends_every_lease_here_and_in_the_ledger() -> None:
    stand = Stand()

    stand.advance(2_000)
    stand.renew()

    assert stand.deadlines == [8.0, 8.0]
    assert stand.leases == [LEASE, LEASE]


def test_the_local_end_of_a_lease_is_never_later_than_the_ledgers() -> None:
    stand = Stand()

    for _ in range(4):
        stand.advance(2_000)
        stand.renew()
        left_here = [(deadline - stand.clock.monotonic()) * 1000 for deadline in stand.deadlines]
        assert all(here <= there for here, there in zip(left_here, stand.leases, strict=True))


def test_a_message_that_another_claim_has_taken_may_not_be_sent_any_more() -> None:
    stand = Stand()
    stolen, kept = stand.held
    stand.ledger.records[stolen.claim.message_id].attempt += 1

    stand.advance(2_000)
    stand.renew()

    assert (stolen.deadline, kept.deadline) == (2.0, 8.0)


def test_a_message_that_was_settled_meanwhile_may_not_be_sent_any_more() -> None:
    stand = Stand()
    settled, _ = stand.held
    stand.ledger.records[settled.claim.message_id].lease = 0

    stand.advance(1_000)
    stand.renew()

    assert stand.deadlines == [1.0, 7.0]


def test_a_lease_that_ran_out_is_not_renewed() -> None:
    stand = Stand()

    stand.advance(LEASE)
    stand.renew()

    assert stand.deadlines == [6.0, 6.0]
    assert stand.leases == [0, 0]


def test_no_lease_is_renewed_for_ever() -> None:
    stand = Stand()

    for _ in range(20):
        stand.advance(2_000)
        stand.renew()

    assert stand.deadlines == [20.0, 20.0]


def test_while_the_ledger_is_away_every_message_keeps_its_deadline() -> None:
    stand = Stand()
    stand.ledger.away = True

    stand.advance(2_000)
    stand.renew()
    assert stand.deadlines == [6.0, 6.0]

    stand.ledger.away = False
    stand.renew()
    assert stand.deadlines == [8.0, 8.0]


def test_what_was_given_back_is_not_held_and_not_renewed() -> None:
    stand = Stand()
    assert len(stand.holdings) == 2

    stand.holdings.remove(stand.held[:1])
    stand.holdings.remove(stand.held[:1])
    stand.advance(2_000)
    stand.renew()

    assert len(stand.holdings) == 1
    assert stand.deadlines == [6.0, 8.0]


def test_two_claims_of_one_message_are_held_apart() -> None:
    stand = Stand(1)
    (first,) = stand.held
    second = Held(first.claim, first.lane, first.shard, first.deadline, first.renew_until)

    stand.holdings.add([second])
    stand.holdings.remove([first])

    assert len(stand.holdings) == 1


def held_by(lane: Lane, shard: int, name: str, crashes: int = 0) -> Held:
    return Held(claim(name, crashes=crashes), lane, shard, 6.0, 16.0)


def test_messages_are_hinted_by_lane_and_shard_and_suspects_apart() -> None:
    given = [
        held_by(Lane.BULK, 1, "a"),
        held_by(Lane.SINGLE, 1, "b"),
        held_by(Lane.BULK, 2, "c"),
        held_by(Lane.BULK, 1, "d"),
        held_by(Lane.BULK, 1, "crashed", crashes=1),
        held_by(Lane.BULK, 1, "too", crashes=1),
        held_by(Lane.BULK, 1, "twice", crashes=2),
        held_by(Lane.BULK, 1, "thrice", crashes=3),
    ]

    assert hints_of(given) == [
        Hint(Lane.BULK, 1, ("a", "d")),
        Hint(Lane.SINGLE, 1, ("b",)),
        Hint(Lane.BULK, 2, ("c",)),
        Hint(Lane.BULK, 1, ("crashed", "too"), HintKind.SUSPECTS),
        Hint(Lane.BULK, 1, ("twice",), HintKind.ALONE),
        Hint(Lane.BULK, 1, ("thrice",), HintKind.ALONE),
    ]


def test_no_hint_names_more_than_a_chunk() -> None:
    given = [held_by(Lane.BULK, 0, str(number)) for number in range(CHUNK + 1)]

    assert [len(hint.message_ids) for hint in hints_of(given)] == [CHUNK, 1]
