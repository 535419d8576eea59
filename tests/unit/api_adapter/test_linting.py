"""A lint says what intake would say, and leaves nothing behind."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_adapter.lint_answers import lint_json
from api_adapter.linting import Fate, Quota
from tests.front_desk import APP, CLIENT, TOKEN, FrontDesk, grant, payment_notice, user, wallet
from tests.samples import INBOX, PUSH, send_body, send_fields
from worker.contract.codes import ResultCode
from worker.contract.identity import message_id
from worker.contract.rates import LimitedBy
from worker.contract.users import SendCap
from worker.languages import Why

ENGLISH = {"language": "en-US", "templateParameters": {"who": "XiaoMing"}}
JAPANESE = {"language": "ja", "templateParameters": {"who": "小明", "amount": "¥5"}}
CAP = SendCap(messages=2, period=86_400_000)


def test_a_good_send_shows_each_channel_of_each_language_and_which_the_user_gets() -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(user(languages=("fr", "ja-JP")))

    (lint,) = desk.lint(send_body(templates=[ENGLISH, JAPANESE]))

    assert lint.fate is Fate.TAKEN
    assert lint.answer.message_id == message_id(APP, "10017019")
    assert [(view.language, view.entry) for view in lint.views] == [("en-US", 0), ("ja-JP", 1)]
    assert [(one.channel, one.title, one.body, one.link) for one in lint.views[1].channels] == [
        (PUSH, "小明 様", "お支払い ¥5", "/pages/1"),
        (INBOX, "小明 様", "お支払い ¥5", "/pages/1"),
    ]
    assert lint.choice is not None
    assert (lint.choice.language, lint.choice.entry, lint.choice.why) == ("ja-JP", 1, Why.PREFERRED)
    assert lint.views[0].channels[0].lengths["body"] == (15, 1024)


@pytest.mark.parametrize(
    ("languages", "sent", "chosen", "why"),
    [
        (("ja",), [ENGLISH, JAPANESE], "ja-JP", Why.PREFERRED),
        (("fr",), [JAPANESE, ENGLISH], "en-US", Why.DEFAULT),
        (("fr",), [JAPANESE], "ja-JP", Why.FIRST),
        (("fr",), [{**ENGLISH, "language": "fr"}], "en-US", Why.NONE_SENT),
    ],
    ids=["preferred", "default", "first", "none sent"],
)
def test_R62_it_says_why_a_user_gets_a_language(
    languages: tuple[str, ...],
    sent: list[dict[str, Any]],
    chosen: str,
    why: Why,
) -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(user(languages=languages))

    (lint,) = desk.lint(send_body(templates=sent))

    assert lint.choice is not None
    assert (lint.choice.language, lint.choice.why) == (chosen, why)


def test_what_is_missing_is_told_by_language_and_what_is_superfluous_as_a_remark() -> None:
    partial = {"language": "ja", "templateParameters": {"who": "小明", "colour": "red"}}

    (lint,) = FrontDesk().lint(send_body(templates=[ENGLISH, partial]))

    assert (lint.fate, lint.answer.result.code) == (Fate.REFUSED, ResultCode.PARAM_ILLEGAL)
    assert {view.language: view.missing for view in lint.views} == {"en-US": (), "ja-JP": ("amount",)}
    assert lint.answer.remarks == ("$.templates[1].templateParameters.colour: is not used by the template",)


def test_a_send_that_is_refused_for_its_token_shows_its_texts_all_the_same() -> None:
    (lint,) = FrontDesk().lint(send_body(accessToken="nobody"))

    assert lint.answer.result.code == ResultCode.INVALID_ACCESS_TOKEN
    assert lint.views[0].channels[0].body == "Hello, XiaoMing"
    assert lint.choice is None


@pytest.mark.parametrize(("characters", "fate"), [(1024 - 7, Fate.TAKEN), (1024 - 6, Fate.UNDELIVERABLE)])
def test_R63_a_text_over_a_channels_limit_is_taken_and_never_delivered(characters: int, fate: Fate) -> None:
    (lint,) = FrontDesk().lint(send_body(templates=[{"templateParameters": {"who": "x" * characters}}]))

    assert lint.fate is fate
    told = "PUSH body has 1025 characters, at most 1024 are allowed: shorten the template or its parameters"
    assert lint.faults == ((told,) if fate is Fate.UNDELIVERABLE else ())


def test_a_text_that_is_too_long_where_the_user_opted_out_or_in_another_language_does_no_harm() -> None:
    desk = FrontDesk()
    long = {"templateParameters": {"who": "x" * 1100, "amount": "1"}}
    desk.users.grants[TOKEN] = grant(user(opted_out=frozenset({PUSH})))
    (opted_out,) = desk.lint(send_body(templates=[long]))
    desk.users.grants[TOKEN] = grant(user())
    (elsewhere,) = desk.lint(send_body(templates=[ENGLISH, {**long, "language": "ja"}]))

    assert (opted_out.fate, opted_out.skipped) == (Fate.TAKEN, (PUSH,))
    assert elsewhere.fate is Fate.TAKEN
    assert elsewhere.views[1].channels[0].fault.startswith("PUSH title has 1102 characters")


def test_R35_it_says_what_is_left_under_the_cap_and_takes_no_place() -> None:
    desk = FrontDesk()
    desk.wallets.wallets["GCASH"] = wallet(cap=CAP)
    desk.send(requestId="first")
    before = copy.deepcopy(desk.caps.counted)

    lints = desk.lint(*(send_body(requestId=f"r{number}") for number in range(3)))

    assert [lint.quota for lint in lints] == [Quota(CAP, 1), Quota(CAP, 2), Quota(CAP, 2)]
    assert [lint.quota.left for lint in lints if lint.quota] == [1, 0, 0]
    assert [lint.fate for lint in lints] == [Fate.TAKEN, Fate.REFUSED, Fate.REFUSED]
    assert lints[1].answer.result.code == ResultCode.MESSAGE_SEND_EXCEED_LIMIT
    assert desk.caps.counted == before


def test_R36_it_says_what_is_left_of_a_rate_and_uses_nothing_of_it() -> None:
    desk = FrontDesk()
    desk.app_rates[APP] = 2
    desk.send(requestId="first")

    for _ in range(3):
        (lint,) = desk.lint(send_body())
        assert [(one.limit.by, one.limit.rate, one.left) for one in lint.allowances] == [(LimitedBy.APP, 2, 1)]
        assert lint.fate is Fate.TAKEN


def test_R50_a_known_requestid_is_told_as_a_repeat_or_as_inconsistent() -> None:
    desk = FrontDesk()
    desk.send()

    same, other = desk.lint(send_body()), desk.lint(send_body(redirectUrl="/pages/2"))

    assert (same[0].fate, same[0].known, same[0].answer.message_id) == (
        Fate.REPEATED,
        True,
        message_id(APP, "10017019"),
    )
    assert other[0].answer.result.code == ResultCode.REPEAT_REQ_INCONSISTENT


def test_R50_a_known_requestid_is_a_repeat_whatever_became_of_its_token() -> None:
    desk = FrontDesk()
    desk.send()
    desk.users.grants[TOKEN] = grant(expires_at=desk.clock.now() - 1)

    assert [lint.fate for lint in desk.lint(send_body())] == [Fate.REPEATED]


def test_a_requestid_that_comes_twice_in_a_lint_is_told_with_the_first_place() -> None:
    desk = FrontDesk()
    lints = desk.lint(
        send_body(requestId="a"),
        send_body(requestId="b"),
        send_body(requestId="a"),
        send_body(requestId="a", redirectUrl="/pages/2"),
    )

    assert [lint.fate for lint in lints] == [Fate.TAKEN, Fate.TAKEN, Fate.REPEATED, Fate.REFUSED]
    assert [lint.repeat_of for lint in lints] == [None, None, 0, 0]
    assert lints[3].answer.result.code == ResultCode.REPEAT_REQ_INCONSISTENT


def test_R41_a_requestid_that_comes_twice_for_two_users_is_inconsistent() -> None:
    desk = FrontDesk()
    desk.users.grants["renewed"] = grant()
    desk.users.grants["of-another"] = grant(user(customer_id="another"))

    lints = desk.lint(*(send_body(accessToken=token) for token in (TOKEN, "renewed", "of-another", "of-nobody")))

    assert [lint.answer.result.code for lint in lints] == [
        ResultCode.SUCCESS,
        ResultCode.SUCCESS,
        ResultCode.REPEAT_REQ_INCONSISTENT,
        ResultCode.SUCCESS,
    ]


def test_R35_a_message_that_has_its_place_under_a_full_cap_would_be_taken() -> None:
    """Whoever took the place died before the ledger took the message."""
    desk = FrontDesk()
    desk.wallets.wallets["GCASH"] = wallet(cap=SendCap(1, 1_000))
    desk.caps.counted["GCASH", APP, user().customer_id].add(message_id(APP, "10017019"))

    mine, other = desk.lint(send_body())[0], desk.lint(send_body(requestId="other"))[0]

    assert (mine.fate, other.answer.result.code) == (Fate.TAKEN, ResultCode.MESSAGE_SEND_EXCEED_LIMIT)
    assert desk.send().result.code == ResultCode.SUCCESS


def test_what_can_not_be_read_is_told_and_the_rest_goes_on() -> None:
    lints = FrontDesk(clients={CLIENT: [APP]}).lint(b"{", send_body(appId="another"), send_body())

    assert [lint.answer.result.code for lint in lints] == [
        ResultCode.PARAM_ILLEGAL,
        ResultCode.ACCESS_DENIED,
        ResultCode.SUCCESS,
    ]


def test_R39_a_caller_that_nobody_knows_learns_nothing() -> None:
    (lint,) = FrontDesk(clients={"another": [APP]}).lint(send_body())

    assert (lint.answer.result.code, lint.views) == (ResultCode.INVALID_CLIENT, ())


@pytest.mark.parametrize("store", ["users", "templates", "wallets", "ledger", "registry"])
def test_R31_without_a_store_nobody_can_say(store: str) -> None:
    desk = FrontDesk()
    getattr(desk, store).away = True

    (lint,) = desk.lint(send_body())

    assert (lint.fate, lint.answer.result.code) == (Fate.UNKNOWN, ResultCode.UNKNOWN_EXCEPTION)


def test_R2_no_token_is_in_what_is_said() -> None:
    secret = "a-token-that-nobody-may-see"
    desk = FrontDesk()
    desk.users.grants[secret] = grant()

    for body in (
        send_body(accessToken=secret),
        send_body(accessToken=secret, templates=[]),
        send_body(accessToken=f"{secret} "),
    ):
        (lint,) = desk.lint(body)
        assert secret not in str(lint_json(lint))
        assert secret not in repr(lint)


USERS = {
    "good": grant(),
    "japanese": grant(user(customer_id="2", languages=("ja",))),
    "no-push": grant(user(customer_id="3", opted_out=frozenset({PUSH}))),
    "nothing": grant(user(customer_id="4", opted_out=frozenset({PUSH, INBOX}))),
    "expired": grant(user(customer_id="5"), expires_at=1),
    "scopeless": grant(user(customer_id="6"), scopes=frozenset()),
    "elsewhere": grant(user(customer_id="7"), app_id="another"),
    "tng": grant(user(customer_id="8", wallet="TNG")),
}
SENDS = st.builds(
    send_fields,
    requestId=st.sampled_from([f"r{number}" for number in range(12)]),
    accessToken=st.sampled_from([*USERS, "unknown"]),
    templateCode=st.sampled_from(["PAYMENT_NOTICE", "PAYMENT_NOTICE", "NONE"]),
    redirectUrl=st.sampled_from(["/pages/1", "/pages/1", "/pages/2", None]),
    customerBelongsTo=st.sampled_from([None, None, "GCASH", "TNG"]),
    templates=st.lists(
        st.builds(
            lambda language, names: {"language": language, "templateParameters": dict.fromkeys(names, "x")},
            st.sampled_from(["en", "ja-JP", "fr", None]),
            st.sampled_from([("who",), ("who", "amount"), ("amount", "colour"), ()]),
        ),
        min_size=1,
        max_size=2,
    ),
)


def opened() -> FrontDesk:
    desk = FrontDesk()
    desk.users.grants = dict(USERS)
    desk.wallets.wallets = {"GCASH": wallet(cap=CAP), "TNG": wallet(name="TNG", cap=None)}
    return desk


@settings(max_examples=150, deadline=None)
@given(st.lists(SENDS, max_size=6), st.lists(SENDS, min_size=1, max_size=6))
def test_a_lint_answers_what_the_send_is_answered_then_and_changes_nothing(
    earlier: list[dict[str, Any]],
    later: list[dict[str, Any]],
) -> None:
    """Each send is linted just before it is sent, after all kinds of sends."""
    desk = opened()
    for fields in earlier + later:
        body = send_body(**fields)
        records, counted = copy.deepcopy(desk.ledger.records), copy.deepcopy(desk.caps.counted)
        (lint,) = desk.lint(body)
        assert (desk.ledger.records, {**desk.caps.counted}) == (
            records,
            {**counted} | {key: set() for key in desk.caps.counted.keys() - counted.keys()},
        )

        (answer,) = desk.take([body])

        assert (lint.answer.result, lint.answer.message_id) == (answer.result, answer.message_id)
        assert set(answer.remarks) <= set(lint.answer.remarks)


@settings(max_examples=150, deadline=None)
@given(st.lists(SENDS, min_size=1, max_size=12, unique_by=lambda fields: fields["requestId"]))
def test_many_linted_together_are_answered_as_many_sent_together(together: list[dict[str, Any]]) -> None:
    desk, bodies = opened(), [send_body(**fields) for fields in together]

    linted = [lint.answer.result for lint in desk.lint(*bodies)]

    assert linted == [answer.result for answer in desk.take(bodies)]
    assert linted[0] == opened().lint(bodies[0])[0].answer.result


def test_a_template_of_another_release_is_told_and_shows_nothing() -> None:
    desk = FrontDesk()
    desk.templates.unreadable = {"PAYMENT_NOTICE"}

    (lint,) = desk.lint(send_body())

    assert (lint.answer.result.code, lint.views) == (ResultCode.PROCESS_FAIL, ())


def test_the_live_version_is_linted() -> None:
    desk = FrontDesk()
    desk.templates.versions["PAYMENT_NOTICE", 2] = payment_notice(version=2)

    (lint,) = desk.lint(send_body())

    assert lint.template is not None
    assert lint.template.version == 2
