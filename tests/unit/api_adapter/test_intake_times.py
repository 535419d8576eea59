"""sendAt and expireAt, extensions of ours, and a user's quiet hours on their way in (issue 5)."""

import pytest

from tests.front_desk import DELIVER_WITHIN, TOKEN, FrontDesk, grant, user
from tests.ledger_driver import DAY
from worker.contract.codes import ResultCode, ResultStatus
from worker.contract.messages import WaitReason
from worker.contract.moments import moment_text
from worker.contract.payload import Quiet
from worker.contract.quiet_hours import QuietHours

AHEAD = 30 * DAY


def inquired(desk: FrontDesk) -> tuple[object, object, object]:
    found = desk.inquire(appId="3333010071465913", requestId="10017019")
    return found["nextTryAt"], found["waitsFor"], found["expiresAt"]


def test_a_send_for_later_is_taken_and_waits() -> None:
    desk = FrontDesk()
    at = desk.clock.now() + 3_600_000
    desk.ledger.now = desk.clock.now()

    assert desk.send(sendAt=at).result.status is ResultStatus.S

    assert desk.hints.message_ids == []
    assert inquired(desk) == (at, WaitReason.SCHEDULE, at + DELIVER_WITHIN)


def test_a_time_may_be_written_either_way() -> None:
    desk = FrontDesk()
    at = desk.clock.now() + 3_600_000
    first = desk.send(sendAt=at, expireAt=at + 1)

    assert desk.send(sendAt=moment_text(at), expireAt=str(at + 1)) == first
    assert desk.send(sendAt=moment_text(at).replace("Z", "+00:00"), expireAt=at + 1) == first


def test_R41_other_times_are_another_content() -> None:
    desk = FrontDesk()
    at = desk.clock.now() + 3_600_000
    desk.send(sendAt=at)

    assert desk.code(sendAt=at + 1) is ResultCode.REPEAT_REQ_INCONSISTENT
    assert desk.code(expireAt=at) is ResultCode.REPEAT_REQ_INCONSISTENT
    assert desk.code() is ResultCode.REPEAT_REQ_INCONSISTENT


def test_R50_a_repeat_after_its_times_have_passed_is_the_same_message() -> None:
    desk = FrontDesk()
    at = desk.clock.now() + 1_000
    first = desk.send(sendAt=at, expireAt=at + 1_000)
    desk.clock.advance(10)

    assert desk.send(sendAt=at, expireAt=at + 1_000) == first


def test_it_expires_when_it_is_said_to() -> None:
    desk = FrontDesk()
    at = desk.clock.now() + 5_000

    desk.send(expireAt=at)

    assert inquired(desk) == (None, None, at)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"sendAt": AHEAD + 1}, "$.sendAt: must be at most 30 days ahead"),
        ({"expireAt": 0}, "$.expireAt: must be in the future"),
        ({"sendAt": 10, "expireAt": 10}, "$.expireAt: must be after sendAt"),
        ({"expireAt": AHEAD + DELIVER_WITHIN + 1}, "$.expireAt: must be at most "),
        ({"sendAt": AHEAD + 1, "expireAt": -1}, "$.sendAt: must be at most 30 days ahead; $.expireAt: must be in"),
    ],
)
def test_R32_times_beyond_their_limits_are_refused(times: dict[str, int], said: str) -> None:
    desk = FrontDesk()
    now = desk.clock.now()
    result = desk.send(**{name: now + offset for name, offset in times.items()}).result

    assert result.code is ResultCode.PARAM_ILLEGAL
    assert result.message.startswith(said)


@pytest.mark.parametrize(
    "times",
    [
        {"sendAt": AHEAD},
        {"expireAt": 1},
        {"sendAt": 10, "expireAt": 11},
        {"expireAt": AHEAD + DELIVER_WITHIN},
        {"sendAt": -1},
    ],
)
def test_times_at_their_limits_are_taken(times: dict[str, int]) -> None:
    desk = FrontDesk()
    now = desk.clock.now()

    assert desk.code(**{name: now + offset for name, offset in times.items()}) is ResultCode.SUCCESS


@pytest.mark.parametrize(
    "value", ["tomorrow", "2031-05-01T12:00:00", "2031-05-01", "", True, 1.5, -1, 253_402_300_800_000, []]
)
@pytest.mark.parametrize("field", ["sendAt", "expireAt"])
def test_R32_what_is_no_time_is_refused(field: str, value: object) -> None:
    result = FrontDesk().send(**{field: value}).result

    assert result.message == (
        f"$.{field}: must be a time with offset such as 2031-05-01T12:00:00+08:00, or milliseconds since 1970"
    )


def test_no_time_is_as_if_it_were_absent() -> None:
    desk = FrontDesk()
    first = desk.send()

    assert desk.send(sendAt=None, expireAt=None) == first


def test_quiet_hours_travel_with_the_message() -> None:
    desk = FrontDesk()
    hours = QuietHours.parse("22:00-07:00")
    desk.users.grants[TOKEN] = grant(user(quiet_hours=hours, time_zone="Asia/Manila"))
    desk.send()
    desk.users.grants[TOKEN] = grant(user(quiet_hours=hours))
    desk.send(requestId="2")
    desk.users.grants[TOKEN] = grant(user(time_zone="Asia/Manila"))
    desk.send(requestId="3")

    assert [one.quiet for one in desk.taken()] == [Quiet(hours, "Asia/Manila"), Quiet(hours, "UTC"), None]
