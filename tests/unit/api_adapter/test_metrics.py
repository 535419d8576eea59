"""What Prometheus reads: names, labels and values, in its format."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api_adapter.metrics import render
from worker.contract.figures import CallbackFigures, Crowd, LedgerFigures, Missing, PausedKind
from worker.contract.messages import Channel, Lane
from worker.contract.outcomes import Tally
from worker.contract.rates import LimitedBy

FIGURES = LedgerFigures(
    tallies={
        ("shop", Channel.PUSH): Tally(accepted=20, S=7, F=6, U=4, open=2, forgotten=1),
        ('say "hi"\\', Channel.INBOX): Tally(accepted=1, open=1),
    },
    due=30,
    overdue=Crowd(3, 1_500),
    waiting=11,
    backlogged={Lane.SINGLE: 5, Lane.BULK: 60},
    scheduled=12,
    stopped={Lane.SINGLE: 1, Lane.BULK: 20},
    paused={PausedKind.MERCHANT: Crowd(2, 3_500), PausedKind.BATCH: Crowd()},
    unknown={Missing.OPEN: Crowd(4, 61_250), Missing.DEAD: Crowd(2, 86_400_000)},
    dead=Crowd(9, 90_000_000),
    callbacks=CallbackFigures(7, 2_500, Crowd(3, 4_000), {("shop", "delivered"): 90, ("shop", "dead"): 3}),
    refused={(LimitedBy.CLIENT, "merchant-1"): 70, (LimitedBy.APP, "shop"): 8},
    failing={"gcash": 125_500},
)


def samples(figures: LedgerFigures | None) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every value by name and values of labels."""
    text = render(figures, "")[0].decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_figure_is_told() -> None:
    assert {place: value for place, value in samples(FIGURES).items() if "hi" not in "".join(place[1])} == {
        ("tidings_ledger_up", ()): 1,
        ("tidings_deliveries_accepted_total", ("shop", "PUSH")): 20,
        ("tidings_deliveries", ("shop", "PUSH", "S")): 7,
        ("tidings_deliveries", ("shop", "PUSH", "F")): 6,
        ("tidings_deliveries", ("shop", "PUSH", "U")): 4,
        ("tidings_deliveries", ("shop", "PUSH", "open")): 2,
        ("tidings_deliveries", ("shop", "PUSH", "forgotten")): 1,
        ("tidings_waiting_callbacks", ()): 7,
        ("tidings_oldest_overdue_callback_seconds", ()): 2.5,
        ("tidings_dead_callbacks", ()): 3,
        ("tidings_oldest_dead_callback_seconds", ()): 4,
        ("tidings_callbacks_total", ("shop", "delivered")): 90,
        ("tidings_callbacks_total", ("shop", "dead")): 3,
        ("tidings_due_messages", ()): 30,
        ("tidings_overdue_messages", ()): 3,
        ("tidings_oldest_overdue_seconds", ()): 1.5,
        ("tidings_waiting_messages", ()): 11,
        ("tidings_backlog_messages", ("single",)): 5,
        ("tidings_backlog_messages", ("bulk",)): 60,
        ("tidings_scheduled_messages", ()): 12,
        ("tidings_paused_messages", ("single",)): 1,
        ("tidings_paused_messages", ("bulk",)): 20,
        ("tidings_paused", ("merchant",)): 2,
        ("tidings_paused", ("batch",)): 0,
        ("tidings_longest_pause_seconds", ("merchant",)): 3.5,
        ("tidings_longest_pause_seconds", ("batch",)): 0,
        ("tidings_unknown_messages", ("open",)): 4,
        ("tidings_unknown_messages", ("dead",)): 2,
        ("tidings_oldest_unknown_seconds", ("open",)): 61.25,
        ("tidings_oldest_unknown_seconds", ("dead",)): 86_400,
        ("tidings_dead_letters", ()): 9,
        ("tidings_oldest_dead_letter_seconds", ()): 90_000,
        ("tidings_sends_over_rate_total", ("client", "merchant-1")): 70,
        ("tidings_sends_over_rate_total", ("app", "shop")): 8,
        ("tidings_gateway_failing_seconds", ("gcash",)): 125.5,
    }


def test_any_app_id_is_a_label_that_is_read_as_it_was() -> None:
    assert samples(FIGURES)["tidings_deliveries_accepted_total", ('say "hi"\\', "INBOX")] == 1


def test_without_the_ledger_that_alone_is_told() -> None:
    assert samples(None) == {("tidings_ledger_up", ()): 0}


def test_every_metric_says_what_it_is() -> None:
    text = render(FIGURES, "")[0].decode()
    named = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))

    assert {name for name, words in re.findall(r"^# HELP (\S+) (.+)", text, re.MULTILINE) if len(words) > 10} == named


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
def test_the_format_is_the_one_that_the_scraper_asks_for(accept: str, media_type: str) -> None:
    text, content_type = render(FIGURES, accept)

    assert content_type.startswith(media_type)
    assert text.endswith(b"# EOF\n") == (media_type != "text/plain")
