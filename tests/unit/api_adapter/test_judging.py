from dataclasses import replace
from typing import Any

import pytest

from api_adapter.judging import Admission, Facts, TimeLimits, judge, resolved_user
from tests.front_desk import APP, TOKEN, grant, payment_notice, user, wallet
from tests.ledger_driver import DAY
from tests.samples import INBOX, NOON, PUSH, send_body
from worker.contract.codes import Result, ResultCode, ResultStatus
from worker.contract.parsing import parse
from worker.contract.send_request import SendRequest
from worker.contract.users import GatewayRoute
from worker.rendering import compile_template

ENGLISH = {"language": "en-US", "templateParameters": {"who": "XiaoMing"}}
JAPANESE = {"language": "ja", "templateParameters": {"who": "小明", "amount": "¥1,200"}}
OF_THE_PARAMETERS = {"links": "parameters"}
FACTS = Facts(
    grants={TOKEN: grant()},
    templates={"PAYMENT_NOTICE": compile_template(payment_notice())},
    wallets={"GCASH": wallet()},
    now=NOON,
    times=TimeLimits(30 * DAY, DAY),
)


def request(**replaced: object) -> SendRequest:
    return parse(SendRequest, send_body(**replaced))


def facts(**replaced: Any) -> Facts:  # noqa: ANN401 - whatever facts there are
    return replace(FACTS, **replaced)


def with_template(**fields: object) -> Facts:
    return facts(templates={"PAYMENT_NOTICE": compile_template(payment_notice(**fields))})


def admitted(found: Facts = FACTS, **replaced: object) -> Admission:
    verdict = judge(request(**replaced), found)
    assert isinstance(verdict, Admission), verdict
    return verdict


def refused(found: Facts = FACTS, **replaced: object) -> tuple[ResultCode, str]:
    verdict = judge(request(**replaced), found)
    assert isinstance(verdict, Result)
    assert verdict.status is ResultStatus.F
    return verdict.code, verdict.message


def test_R30_a_send_that_breaks_no_rule_is_admitted_with_all_that_was_decided() -> None:
    verdict = admitted()

    assert (verdict.user, verdict.wallet, verdict.template) == (user(), wallet(), payment_notice())
    assert (verdict.choice.language, verdict.choice.parameters) == ("en-US", {"who": "XiaoMing"})
    assert (verdict.channels, verdict.skipped) == ((PUSH, INBOX), ())
    assert (verdict.link, verdict.remarks) == ("/pages/1", ())


def test_R4_R33_an_unknown_template_does_not_exist() -> None:
    found = refused(templateCode="NONE")

    assert found == (ResultCode.TEMPLATE_NOT_EXIST, "$.templateCode: no template has this code")


def test_R5_a_template_with_links_of_the_request_requires_redirect_url() -> None:
    message = "$.redirectUrl: is required by the template's channels"

    assert refused(redirectUrl=None) == (ResultCode.PARAM_ILLEGAL, message)
    assert refused(redirectUrl="") == (ResultCode.PARAM_ILLEGAL, message)
    assert admitted(redirectUrl="pages/1").link == "pages/1"


def test_R5_a_template_with_links_of_parameters_requires_those_instead() -> None:
    found = with_template(**OF_THE_PARAMETERS)
    whole = {"who": "X", "pushContentUrl": "/push", "bodyUrl": "/body"}

    code, message = refused(found, redirectUrl=None)

    assert (code, message.split("; ")) == (
        ResultCode.PARAM_ILLEGAL,
        [
            "$.templates[0].templateParameters.bodyUrl: is required by the template",
            "$.templates[0].templateParameters.pushContentUrl: is required by the template",
        ],
    )
    assert admitted(found, redirectUrl=None, templates=[{"templateParameters": whole}]).choice.parameters == whole


def test_R6_action_url_stands_in_for_redirect_url_and_lint_says_so() -> None:
    instead, beside = admitted(redirectUrl=None, actionUrl="/action"), admitted(actionUrl="/action")

    assert (instead.link, beside.link) == ("/action", "/pages/1")
    assert instead.remarks == ("$.actionUrl: is used in place of redirectUrl; it is no documented field",)
    assert beside.remarks == ("$.actionUrl: is ignored beside redirectUrl; it is no documented field",)


def test_R8_an_entry_without_a_language_has_the_templates_default() -> None:
    assert admitted(templates=[{"templateParameters": {"who": "X"}}]).choice.language == "en-US"


@pytest.mark.parametrize(
    ("entries", "indexes"),
    [
        ([{"templateParameters": {"who": "X"}}, ENGLISH], (0, 1)),
        ([JAPANESE, ENGLISH, {"templateParameters": {"who": "X"}}], (1, 2)),
    ],
    ids=["none first", "none last"],
)
def test_R7_R8_no_language_beside_the_default_language_is_that_language_twice(
    entries: list[dict[str, object]],
    indexes: tuple[int, int],
) -> None:
    first, second = indexes
    message = f"$.templates[{first}] and $.templates[{second}] have the same language (the template's default)"

    assert refused(templates=entries) == (ResultCode.PARAM_ILLEGAL, message)


def test_R9_every_parameter_that_is_lacking_is_named_with_its_entry() -> None:
    entries = [{"language": "en-US", "templateParameters": {}}, {"language": "ja-JP"}]

    code, message = refused(templates=entries)

    assert code is ResultCode.PARAM_ILLEGAL
    assert message.split("; ") == [
        "$.templates[0].templateParameters.who: is required by the template",
        "$.templates[1].templateParameters.amount: is required by the template",
        "$.templates[1].templateParameters.who: is required by the template",
    ]


def test_R9_an_entry_of_another_language_need_not_fit() -> None:
    assert admitted(templates=[ENGLISH, {"language": "de"}]).choice.language == "en-US"


def test_R5_R9_a_lacking_link_and_a_lacking_parameter_are_told_together() -> None:
    code, message = refused(redirectUrl=None, templates=[{}])

    assert code is ResultCode.PARAM_ILLEGAL
    assert message == (
        "$.templates[0].templateParameters.who: is required by the template; "
        "$.redirectUrl: is required by the template's channels"
    )


def test_R9_extra_parameters_are_remarked_on_and_not_refused() -> None:
    entries = [{"language": "en-US", "templateParameters": {"who": "X", "when": "now"}}, {"language": "de"}]

    assert admitted(templates=entries).remarks == (
        "$.templates[0].templateParameters.when: is not used by the template",
        "$.templates[1]: is not used: the template lacks its language, or another entry is closer",
    )


def test_R9_of_many_remarks_the_first_are_told_and_the_rest_is_counted() -> None:
    extra = {f"extra{number:03}": "X" for number in range(20)}
    few, many = ({"who": "X", **dict(list(extra.items())[:count])} for count in (19, 20))

    assert len(admitted(templates=[{"templateParameters": few}]).remarks) == 19
    all_told = admitted(templates=[{"templateParameters": many}]).remarks
    assert (len(all_told), any("more" in remark for remark in all_told)) == (20, False)
    much = admitted(templates=[{"templateParameters": many}], actionUrl="/action").remarks
    assert len(much) == 20
    assert much[-1] == "and 2 more"


def test_R11_a_user_of_another_super_app_is_refused() -> None:
    message = "$.customerBelongsTo: is not the wallet of the token's user"

    assert refused(customerBelongsTo="DANA") == (ResultCode.PARAM_ILLEGAL, message)
    assert admitted(customerBelongsTo="GCASH").wallet.name == "GCASH"


def test_R11_the_user_decides_which_wallet_a_send_goes_to() -> None:
    dana = wallet(name="DANA")
    found = facts(grants={TOKEN: grant(user(wallet="DANA"))}, wallets={"GCASH": wallet(), "DANA": dana})

    assert admitted(found, customerBelongsTo="DANA").wallet == dana
    assert admitted(found).wallet == dana


def test_R34_a_user_that_opted_out_of_every_channel_is_not_subscribed() -> None:
    found = facts(grants={TOKEN: grant(user(opted_out=frozenset({PUSH, INBOX})))})

    assert refused(found) == (ResultCode.USER_NOT_SUBSCRIBED, "the user opted out of every channel of the template")


def test_R34_channels_of_the_template_alone_count() -> None:
    content = {"PUSH": {"title": "T", "body": "B"}}
    push_alone = with_template(channels=["PUSH"], contents={"en-US": content})
    out_of_push = {TOKEN: grant(user(opted_out=frozenset({PUSH})))}

    assert refused(replace(push_alone, grants=out_of_push))[0] is ResultCode.USER_NOT_SUBSCRIBED


@pytest.mark.parametrize(("out", "left"), [(PUSH, INBOX), (INBOX, PUSH)])
def test_R73_a_channel_that_the_user_opted_out_of_is_skipped(out: str, left: str) -> None:
    verdict = admitted(facts(grants={TOKEN: grant(user(opted_out=frozenset({out})))}))

    assert (verdict.channels, verdict.skipped) == ((left,), (out,))


def test_R37_an_unknown_token_and_one_of_another_app_are_invalid_alike() -> None:
    found = (ResultCode.INVALID_ACCESS_TOKEN, "$.accessToken: is not a token of this appId")

    assert refused(facts(grants={TOKEN: None})) == found
    assert refused(facts(grants={TOKEN: grant(app_id="another")})) == found


@pytest.mark.parametrize(("expires_at", "lives"), [(NOON - 1, False), (NOON, False), (NOON + 1, True)])
def test_R37_a_token_lives_until_its_time(expires_at: int, lives: bool) -> None:  # noqa: FBT001 - expected, no mode
    verdict = judge(request(), facts(grants={TOKEN: grant(expires_at=expires_at)}))

    if lives:
        assert isinstance(verdict, Admission)
    else:
        assert verdict == Result.refused(ResultCode.EXPIRED_ACCESS_TOKEN, "$.accessToken: is past its time")


def test_R37_a_token_without_the_scope_is_denied() -> None:
    found = facts(grants={TOKEN: grant(scopes=frozenset({"USER_INFO"}))})

    assert refused(found) == (ResultCode.ACCESS_DENIED, "$.accessToken: lacks the scope SEND_MESSAGE")


def test_R42_a_wallet_that_nobody_registered_is_the_platforms_fault() -> None:
    message = "no gateway of wallet GCASH serves PUSH, INBOX; the platform has to add one"

    assert refused(facts(wallets={})) == (ResultCode.PROCESS_FAIL, message)


def test_R42_a_channel_without_a_gateway_is_the_platforms_fault() -> None:
    push_alone = wallet(gateways=(GatewayRoute("g", "http://wallet.test", frozenset({PUSH})),))
    message = "no gateway of wallet GCASH serves INBOX; the platform has to add one"

    assert refused(facts(wallets={"GCASH": push_alone})) == (ResultCode.PROCESS_FAIL, message)


def test_R42_a_channel_that_is_skipped_needs_no_gateway() -> None:
    push_alone = wallet(gateways=(GatewayRoute("g", "http://wallet.test", frozenset({PUSH})),))
    out_of_inbox = {TOKEN: grant(user(opted_out=frozenset({INBOX})))}

    assert admitted(facts(wallets={"GCASH": push_alone}, grants=out_of_inbox)).channels == (PUSH,)


def test_R42_a_template_that_cannot_be_used_is_refused_with_its_own_reason() -> None:
    unusable = Result.refused(ResultCode.PROCESS_FAIL, "$.templateCode: put it again")

    assert judge(request(), facts(templates={"PAYMENT_NOTICE": unusable})) == unusable


@pytest.mark.parametrize(
    ("languages", "chosen"),
    [(("ja-JP",), "ja-JP"), (("fr", "ja"), "ja-JP"), (("fr",), "en-US"), ((), "en-US")],
    ids=["preferred", "second preference", "default", "no preference"],
)
def test_R62_the_users_language_wins_then_the_templates_default(languages: tuple[str, ...], chosen: str) -> None:
    found = facts(grants={TOKEN: grant(user(languages=languages))})

    assert admitted(found, templates=[ENGLISH, JAPANESE]).choice.language == chosen


def test_R62_the_first_candidate_is_the_last_resort() -> None:
    assert admitted(templates=[JAPANESE]).choice.language == "ja-JP"


def test_R62_a_language_that_the_template_lacks_gives_its_default_where_the_parameters_fit() -> None:
    german = {"language": "de", "templateParameters": {"who": "X"}}

    assert admitted(templates=[german]).choice.language == "en-US"
    assert refused(templates=[{**german, "templateParameters": {}}]) == (
        ResultCode.PARAM_ILLEGAL,
        "$.templates[0].templateParameters.who: is required by the template",
    )


def test_R32_to_R42_faults_are_told_in_the_order_in_which_a_merchant_can_mend_them() -> None:
    nobody = facts(grants={TOKEN: None}, templates={}, wallets={})
    no_template = facts(templates={}, wallets={})
    opted_out = facts(grants={TOKEN: grant(user(opted_out=frozenset({PUSH, INBOX})))}, wallets={})

    codes = [refused(found, redirectUrl=None)[0] for found in (nobody, no_template, opted_out, facts(wallets={}))]

    assert codes == [
        ResultCode.INVALID_ACCESS_TOKEN,
        ResultCode.TEMPLATE_NOT_EXIST,
        ResultCode.USER_NOT_SUBSCRIBED,
        ResultCode.PARAM_ILLEGAL,
    ]


def test_R50_a_token_resolves_to_its_user_past_its_time_and_without_its_scope() -> None:
    late = facts(grants={TOKEN: grant(expires_at=NOON - 1, scopes=frozenset())})

    assert resolved_user(request(), late) == user()


def test_R50_a_token_of_nobody_or_of_another_app_resolves_to_no_user() -> None:
    assert resolved_user(request(), facts(grants={TOKEN: None})) is None
    assert resolved_user(request(appId=APP), facts(grants={TOKEN: grant(app_id="another")})) is None
