from api_adapter.template_changes import Change, Consequence, changes, consequences
from tests.front_desk import payment_notice
from worker.contract.templates import TemplateVersion
from worker.rendering import compile_template

HELLO = {"title": "Paid", "body": "Hello, ${who}"}
JAPANESE = {"title": "${who} 様", "body": "お支払い ${amount}"}
BOTH = {"PUSH": HELLO, "INBOX": HELLO}
BOTH_JAPANESE = {"PUSH": JAPANESE, "INBOX": JAPANESE}


def noticed(new: TemplateVersion, old: TemplateVersion | None = None) -> list[Consequence]:
    return consequences(compile_template(old or payment_notice()), compile_template(new))


def test_nothing_differs_from_itself() -> None:
    assert changes(payment_notice(), payment_notice(version=2)) == []
    assert noticed(payment_notice(version=2)) == []


def test_every_part_that_differs_is_named_with_both_values() -> None:
    new = payment_notice(app_name="Bar", contents={"en-US": {"PUSH": {**HELLO, "title": "New"}, "INBOX": HELLO}})

    assert changes(payment_notice(), new) == [
        Change("app_name", "", "Bar"),
        Change("contents.en-US.PUSH.title", "Paid", "New"),
        *(
            Change(f"contents.ja-JP.{channel}.{field}", JAPANESE[field], None)
            for channel in ("INBOX", "PUSH")
            for field in ("title", "body")
        ),
    ]


def test_a_parameter_more_or_a_language_less_gets_sends_refused() -> None:
    wordy = {**HELLO, "body": "Hello, ${who}. ${shop} ${time}"}
    new = payment_notice(contents={"en-US": {"PUSH": wordy, "INBOX": HELLO}})

    assert noticed(new) == [
        Consequence("ja-JP is gone: a send of it alone is shown in en-US, or refused", breaks=True),
        Consequence("en-US: a send without shop, time is refused", breaks=True),
    ]
    assert noticed(payment_notice(), new) == [
        Consequence("ja-JP is new: a send that names it without amount, who is refused", breaks=True),
        Consequence("en-US: shop, time is not used any more", breaks=False),
    ]


def test_a_language_more_without_parameters_breaks_nothing() -> None:
    plain = {"title": "Payé", "body": "Merci"}
    contents = {"en-US": BOTH, "ja-JP": BOTH_JAPANESE, "fr": {"PUSH": plain, "INBOX": plain}}

    assert noticed(payment_notice(contents=contents)) == [Consequence("fr is new", breaks=False)]


def test_channels_that_come_and_go_are_told() -> None:
    alone = payment_notice(channels=["INBOX"], contents={"en-US": {"INBOX": HELLO}, "ja-JP": {"INBOX": JAPANESE}})

    assert noticed(alone) == [Consequence("nothing is shown on PUSH any more", breaks=True)]
    assert noticed(payment_notice(), alone) == [Consequence("it is shown on PUSH as well", breaks=False)]


def test_another_source_of_links_is_told_with_what_it_requires() -> None:
    of_parameters = payment_notice(links="parameters")

    assert Consequence("en-US: a send without bodyUrl, pushContentUrl is refused", breaks=True) in noticed(
        of_parameters
    )
    assert noticed(payment_notice(), of_parameters)[0] == Consequence(
        "a send without redirectUrl is refused", breaks=True
    )
