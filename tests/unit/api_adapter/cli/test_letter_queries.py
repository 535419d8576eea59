"""The query language of `tidings dlq`."""

import pytest

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.letter_queries import HELP, parse
from worker.contract.dead_letters import DeadLetterQuery
from worker.contract.messages import Channel, DeadCause

NOW = 1_700_000_000_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("terms", "query"),
    [
        ([], DeadLetterQuery()),
        (["app:shop"], DeadLetterQuery(app_id="shop")),
        (["template:PAY request:r:1"], DeadLetterQuery(template_code="PAY", request_id="r:1")),
        (["cause:TRIES", "channel:PUSH"], DeadLetterQuery(cause=DeadCause.TRIES, channel=Channel.PUSH)),
        (["cause:unanswered"], DeadLetterQuery(cause=DeadCause.UNANSWERED)),
        ([" code:BUSY  gateway:gcash-2 "], DeadLetterQuery(code="BUSY", gateway="gcash-2")),
        (["older:2h"], DeadLetterQuery(died_until=NOW - 2 * HOUR)),
        (["newer:1d"], DeadLetterQuery(died_from=NOW - 24 * HOUR)),
    ],
)
def test_terms_say_what_a_letter_must_be(terms: list[str], query: DeadLetterQuery) -> None:
    assert parse(terms, NOW) == query


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (["foo:1"], "foo is no key; write KEY:VALUE, the keys are app, template, request, cause, channel, code, "),
        (["BUSY"], "BUSY is no key"),
        (["token-of-a-user-which-is-secret"], "a term is no key"),
        (["app:a app:b"], "app may be given once"),
        (["app:"], "app: needs a value"),
        (["cause:BORED"], "cause: must be one of TRIES, UNANSWERED, EXPIRED"),
        (["channel:SMS"], "channel: must be one of PUSH, INBOX"),
        (["older:soon"], "older: must be a duration such as 30s"),
    ],
)
def test_a_wrong_term_is_told_with_what_it_may_be(terms: list[str], reason: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(terms, NOW)

    assert str(caught.value).startswith(f"QUERY: {reason}")


@pytest.mark.parametrize("key", ["app", "template", "request", "cause", "channel", "code", "gateway", "older", "newer"])
def test_the_help_names_every_key(key: str) -> None:
    assert f"{key}:" in HELP
