from collections.abc import Callable

import orjson
import pytest
from structlog.testing import capture_logs

from tests.front_desk import CLIENT, FrontDesk, grant, payment_notice, user, wallet
from tests.samples import INBOX, PUSH, send_body
from worker.contract.codes import ResultCode
from worker.contract.users import SendCap, Unresolved

TOKEN = "token-MARKED-as-secret"
VALUE = "value-MARKED-as-private"
MARK = "MARKED"


def prepared(change: Callable[[FrontDesk], object]) -> FrontDesk:
    """Return a desk that knows the marked token, changed as a test needs it."""
    desk = FrontDesk(clients={CLIENT: ["3333010071465913", "other"]})
    desk.users.grants = {TOKEN: grant()}
    change(desk)
    return desk


def body(**replaced: object) -> bytes:
    marked = {"templates": [{"templateParameters": {"who": VALUE}}], "extendInfo": VALUE, "redirectUrl": f"/{VALUE}"}
    return send_body(**{"accessToken": TOKEN, **marked, **replaced})


def nothing(_: FrontDesk) -> None:
    """Leave a desk as it is."""


def take_away(store: str) -> Callable[[FrontDesk], object]:
    return lambda desk: setattr(getattr(desk, store), "away", True)


def granted(**fields: object) -> Callable[[FrontDesk], object]:
    return lambda desk: desk.users.grants.update({TOKEN: grant(**fields)})  # type: ignore[arg-type]


def repeated_with_other_content(desk: FrontDesk) -> None:
    desk.take([body(redirectUrl="/first")])


def capped(desk: FrontDesk) -> None:
    desk.wallets.wallets["GCASH"] = wallet(cap=SendCap(0, 1000))


PATHS: dict[str, tuple[ResultCode, Callable[[FrontDesk], object], bytes]] = {
    "R30": (ResultCode.SUCCESS, nothing, body()),
    "R31 ledger": (ResultCode.UNKNOWN_EXCEPTION, take_away("ledger"), body()),
    "R31 users": (ResultCode.UNKNOWN_EXCEPTION, take_away("users"), body()),
    "R31 token": (
        ResultCode.UNKNOWN_EXCEPTION,
        lambda desk: desk.users.grants.update({TOKEN: Unresolved("it is down")}),
        body(),
    ),
    "R31 templates": (ResultCode.UNKNOWN_EXCEPTION, take_away("templates"), body()),
    "R1": (ResultCode.PARAM_ILLEGAL, nothing, body(appId=VALUE * 9)),
    "R2 too long": (ResultCode.PARAM_ILLEGAL, nothing, body(accessToken=TOKEN * 9)),
    "R2 with a mark": (ResultCode.PARAM_ILLEGAL, nothing, body(accessToken=TOKEN + "@")),
    "R2 in an object": (ResultCode.PARAM_ILLEGAL, nothing, body(accessToken={TOKEN: TOKEN})),
    "R2 in an array": (ResultCode.PARAM_ILLEGAL, nothing, body(accessToken=[TOKEN])),
    "R3": (ResultCode.PARAM_ILLEGAL, nothing, body(requestId=VALUE + " ")),
    "R5": (ResultCode.PARAM_ILLEGAL, nothing, body(redirectUrl=None)),
    "R5 too long": (ResultCode.PARAM_ILLEGAL, nothing, body(redirectUrl=VALUE * 100)),
    "R7": (ResultCode.PARAM_ILLEGAL, nothing, body(templates=VALUE)),
    "R7 no entry": (ResultCode.PARAM_ILLEGAL, nothing, body(templates=[VALUE])),
    "R8": (ResultCode.PARAM_ILLEGAL, nothing, body(templates=[{"language": f"?{VALUE}"}])),
    "R9": (ResultCode.PARAM_ILLEGAL, nothing, body(templates=[{"templateParameters": {"other": VALUE}}])),
    "R9 no text": (ResultCode.PARAM_ILLEGAL, nothing, body(templates=[{"templateParameters": {"who": [VALUE]}}])),
    "R9 no map": (ResultCode.PARAM_ILLEGAL, nothing, body(templates=[{"templateParameters": VALUE}])),
    "R10": (ResultCode.PARAM_ILLEGAL, nothing, body(extendInfo={VALUE: VALUE})),
    "R11": (ResultCode.PARAM_ILLEGAL, nothing, body(customerBelongsTo=VALUE)),
    "R15 cut": (ResultCode.PARAM_ILLEGAL, nothing, body()[:-1]),
    "R15 the token alone": (ResultCode.PARAM_ILLEGAL, nothing, orjson.dumps(TOKEN)),
    "R15 no JSON": (ResultCode.PARAM_ILLEGAL, nothing, TOKEN.encode()),
    "R15 too large": (ResultCode.PARAM_ILLEGAL, nothing, body(extendInfo=TOKEN * 5000)),
    "R33": (ResultCode.TEMPLATE_NOT_EXIST, nothing, body(templateCode=VALUE)),
    "R34": (ResultCode.USER_NOT_SUBSCRIBED, granted(whose=user(opted_out=frozenset({PUSH, INBOX}))), body()),
    "R35": (ResultCode.MESSAGE_SEND_EXCEED_LIMIT, capped, body()),
    "R37 unknown": (ResultCode.INVALID_ACCESS_TOKEN, nothing, body(accessToken=TOKEN + "-unknown")),
    "R37 of another app": (ResultCode.INVALID_ACCESS_TOKEN, nothing, body(appId="other")),
    "R37 expired": (ResultCode.EXPIRED_ACCESS_TOKEN, granted(expires_at=1), body()),
    "R37 without the scope": (ResultCode.ACCESS_DENIED, granted(scopes=frozenset()), body()),
    "R39": (ResultCode.ACCESS_DENIED, nothing, body(appId=VALUE)),
    "R41": (ResultCode.REPEAT_REQ_INCONSISTENT, repeated_with_other_content, body()),
    "R42 no gateway": (ResultCode.PROCESS_FAIL, lambda desk: desk.wallets.wallets.clear(), body()),
    "R42 unreadable": (ResultCode.PROCESS_FAIL, lambda desk: desk.templates.unreadable.add("PAYMENT_NOTICE"), body()),
}


@pytest.mark.parametrize(("code", "change", "sent"), PATHS.values(), ids=PATHS.keys())
def test_R2_R32_neither_token_nor_text_is_in_any_answer_or_log_line(
    code: ResultCode,
    change: Callable[[FrontDesk], object],
    sent: bytes,
) -> None:
    desk = prepared(change)

    with capture_logs() as logs:
        (answer,) = desk.take([sent])

    assert answer.result.code is code
    assert MARK not in f"{answer.result}{answer.remarks}"
    assert MARK not in str(logs)


@pytest.mark.parametrize(("code", "change", "sent"), PATHS.values(), ids=PATHS.keys())
def test_R2_R64_the_token_is_in_nothing_that_is_stored_or_queued(
    code: ResultCode,
    change: Callable[[FrontDesk], object],
    sent: bytes,
) -> None:
    desk = prepared(change)

    desk.take([sent])

    assert (code is ResultCode.SUCCESS) <= bool(desk.ledger.records)
    assert TOKEN not in str(desk.ledger.records)
    assert TOKEN not in str(desk.hints.published)
    assert TOKEN not in str(desk.caps.counted)


def test_R9_lint_names_no_parameter_that_is_no_plain_name() -> None:
    desk = prepared(nothing)
    entry = {"templateParameters": {"who": "X", f"{TOKEN}@": VALUE, "a b": VALUE}}

    (answer,) = desk.take([body(templates=[entry])])

    assert answer.remarks == ("$.templates[0].templateParameters[*]: is not used by the template",) * 2


def test_R39_a_callers_name_is_in_no_log_line() -> None:
    desk = FrontDesk()
    desk.ledger.away = True

    with capture_logs() as logs:
        desk.take([body()], client=f"{MARK}\x1b[2J")
        desk.take([body()], client=MARK)

    assert MARK not in str(logs)
    assert [line["event"] for line in logs] == ["intake_unknown"]


def test_R42_a_log_line_about_an_unusable_template_shows_none_of_its_text() -> None:
    content = {"en-US": {"PUSH": {"title": VALUE, "body": f"{VALUE} ${{{VALUE}"}}}
    desk = FrontDesk()
    desk.templates.versions["PAYMENT_NOTICE", 2] = payment_notice(version=2, channels=["PUSH"], contents=content)

    with capture_logs() as logs:
        assert desk.code() is ResultCode.PROCESS_FAIL

    assert MARK not in str(logs)
    assert [line["event"] for line in logs] == ["template_malformed"]
