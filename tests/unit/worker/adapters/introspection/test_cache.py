"""How long an introspected token is remembered."""

from tests.fakes.clock import FakeClock
from tests.front_desk import grant
from worker.adapters.introspection.cache import MISS, CacheLimits, GrantCache

A, B, C = b"a", b"b", b"c"


def cache(ttl: int = 60_000, size: int = 100) -> tuple[GrantCache, FakeClock]:
    clock = FakeClock()
    return GrantCache(clock, CacheLimits(ttl, size)), clock


def test_a_grant_is_known_for_the_time_to_live() -> None:
    known, clock = cache()
    known.keep(A, grant())

    clock.advance(59_999)
    assert known.get(A) == grant()
    clock.advance(1)
    assert known.get(A) is MISS


def test_R37_a_grant_is_known_no_longer_than_it_holds() -> None:
    known, clock = cache()
    known.keep(A, grant(expires_at=clock.now() + 1_000))

    clock.advance(999)
    assert known.get(A) == grant(expires_at=clock.now() + 1)
    clock.advance(1)
    assert known.get(A) is MISS


def test_a_grant_that_is_over_when_it_comes_is_not_served() -> None:
    known, clock = cache()
    known.keep(A, grant(expires_at=clock.now()))

    assert known.get(A) is MISS


def test_a_denial_is_known_for_five_seconds_or_the_time_to_live() -> None:
    for ttl, lifetime in ((60_000, 5_000), (1_000, 1_000)):
        known, clock = cache(ttl)

        assert known.deny(A) is None
        clock.advance(lifetime - 1)
        assert known.get(A) is None
        clock.advance(1)
        assert known.get(A) is MISS


def test_R37_a_revoked_token_grants_nothing_any_more() -> None:
    known, clock = cache()
    known.keep(A, grant(expires_at=clock.now() + 3_600_000))
    clock.advance(60_000)

    assert known.deny(A) is None
    assert known.get(A) is None


def test_R37_a_token_that_was_known_until_its_time_was_over_is_told_apart_from_an_unknown_one() -> None:
    known, clock = cache()
    expired = grant(expires_at=clock.now() + 1_000)
    known.keep(A, expired)
    clock.advance(1_000)

    assert known.deny(A) == expired
    assert known.get(A) == expired
    clock.advance(5_000)
    assert known.get(A) is MISS


def test_a_token_that_is_granted_after_a_denial_is_granted() -> None:
    known, _ = cache()
    known.deny(A)

    known.keep(A, grant())

    assert known.get(A) == grant()


def test_what_was_used_the_longest_ago_gives_way() -> None:
    known, _ = cache(size=2)
    known.keep(A, grant())
    known.keep(B, grant())
    known.get(A)
    known.keep(C, grant())

    assert [known.get(token_id) is MISS for token_id in (A, B, C)] == [False, True, False]


def test_denials_of_made_up_tokens_drive_no_grant_out() -> None:
    known, _ = cache(size=2)
    known.keep(A, grant())

    for number in range(1_000):
        known.deny(b"made up %d" % number)

    assert known.get(A) == grant()
    assert known.get(b"made up 0") is MISS
