"""The ledger's figures as Prometheus reads them. The text is made anew for each scrape: no process keeps any number."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from typing_extensions import override

from worker.contract.figures import CallbackFigures, Crowd, LedgerFigures

_OUTCOMES = ("open", "S", "F", "U", "forgotten")


class _Figures(Collector):
    def __init__(self, figures: LedgerFigures | None) -> None:
        self._figures = figures

    @override
    def collect(self) -> Iterator[Metric]:
        answered = self._figures is not None
        yield GaugeMetricFamily("tidings_ledger_up", "1 if the ledger answered, else 0", value=answered)
        if self._figures is not None:
            yield from _deliveries(self._figures)
            yield from _indexes(self._figures)


def render(figures: LedgerFigures | None, accept: str) -> tuple[bytes, str]:
    """Return the metrics and their content type, in the format that an Accept header asks for.

    Without figures the ledger did not answer, and that is all that is said.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _deliveries(figures: LedgerFigures) -> Iterator[Metric]:
    place = ("app_id", "channel")
    accepted = CounterMetricFamily("tidings_deliveries_accepted_total", "Deliveries taken", labels=place)
    deliveries = GaugeMetricFamily("tidings_deliveries", "Deliveries by what became of them", labels=(*place, "status"))
    for (app_id, channel), tally in sorted(figures.tallies.items()):
        accepted.add_metric((app_id, channel), tally.accepted)
        for status in _OUTCOMES:
            deliveries.add_metric((app_id, channel, status), getattr(tally, status))
    yield accepted
    yield deliveries


def _indexes(figures: LedgerFigures) -> Iterator[Metric]:
    yield GaugeMetricFamily("tidings_due_messages", "Open messages outside the backlogs", value=figures.due)
    yield GaugeMetricFamily("tidings_waiting_messages", "Due messages that wait for a retry", value=figures.waiting)
    yield GaugeMetricFamily("tidings_overdue_messages", "Due messages past their time", value=figures.overdue.number)
    yield _age("tidings_oldest_overdue_seconds", "How long the first of them has waited", figures.overdue)
    backlogs = GaugeMetricFamily("tidings_backlog_messages", "Messages in merchants' backlogs", labels=("lane",))
    for lane, number in figures.backlogged.items():
        backlogs.add_metric((lane,), number)
    yield backlogs
    text = "Messages that wait for their time, or for the end of quiet hours"
    yield GaugeMetricFamily("tidings_scheduled_messages", text, value=figures.scheduled)
    yield from _pauses(figures)
    yield from _unknowns(figures)
    yield GaugeMetricFamily("tidings_dead_letters", "Messages that nobody tries any more", value=figures.dead.number)
    yield _age("tidings_oldest_dead_letter_seconds", "How long ago the first of them died", figures.dead)
    yield from _callbacks(figures.callbacks)
    yield _refused(figures)
    yield _failing(figures)


def _pauses(figures: LedgerFigures) -> Iterable[Metric]:
    messages = GaugeMetricFamily("tidings_paused_messages", "Messages in paused backlogs", labels=("lane",))
    for lane, stopped in figures.stopped.items():
        messages.add_metric((lane,), stopped)
    number = GaugeMetricFamily("tidings_paused", "Merchants and batches that are paused", labels=("kind",))
    oldest = GaugeMetricFamily("tidings_longest_pause_seconds", "How long the first of them is", labels=("kind",))
    for kind, crowd in figures.paused.items():
        number.add_metric((kind,), crowd.number)
        oldest.add_metric((kind,), crowd.oldest / 1000)
    return messages, number, oldest


def _unknowns(figures: LedgerFigures) -> Iterable[Metric]:
    number = GaugeMetricFamily("tidings_unknown_messages", "Messages whose answer is missing", labels=("state",))
    oldest = GaugeMetricFamily("tidings_oldest_unknown_seconds", "How long it has been missing", labels=("state",))
    for state, crowd in figures.unknown.items():
        number.add_metric((state,), crowd.number)
        oldest.add_metric((state,), crowd.oldest / 1000)
    return number, oldest


def _callbacks(figures: CallbackFigures) -> Iterator[Metric]:
    yield GaugeMetricFamily("tidings_waiting_callbacks", "Callbacks that are not over", value=figures.waiting)
    late = "How long the first callback past its time has waited"
    yield _age("tidings_oldest_overdue_callback_seconds", late, Crowd(oldest=figures.late))
    yield GaugeMetricFamily("tidings_dead_callbacks", "Callbacks that were given up", value=figures.dead.number)
    yield _age("tidings_oldest_dead_callback_seconds", "How long ago the first of them was", figures.dead)
    over = CounterMetricFamily("tidings_callbacks_total", "Callbacks that are over", labels=("app_id", "end"))
    for place, number in sorted(figures.over.items()):
        over.add_metric(place, number)
    yield over


def _refused(figures: LedgerFigures) -> Metric:
    text = "Sends that a rate limit refused"
    refused = CounterMetricFamily("tidings_sends_over_rate_total", text, labels=("limited_by", "name"))
    for (by, name), number in sorted(figures.refused.items()):
        refused.add_metric((by, name), number)
    return refused


def _failing(figures: LedgerFigures) -> Metric:
    text = "How long a gateway's breaker has not been closed; absent where it is closed"
    failing = GaugeMetricFamily("tidings_gateway_failing_seconds", text, labels=("gateway",))
    for gateway, milliseconds in sorted(figures.failing.items()):
        failing.add_metric((gateway,), milliseconds / 1000)
    return failing


def _age(name: str, documentation: str, crowd: Crowd) -> Metric:
    return GaugeMetricFamily(name, documentation, value=crowd.oldest / 1000)
