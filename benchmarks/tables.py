"""What each table of the documents says, from the JSON files that the benchmarks wrote."""

import math
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType

from benchmarks import backlog, budget, fairness, gateway_limit, latency, lookup, main_job, scaling, signatures
from benchmarks.results_file import Report, read
from benchmarks.systems import ALWAYS, CELERY, ONE, PEERS, TWENTY

_MILLION = 1_000_000
_AIM = 100_000
"""Messages a second of the arithmetic."""
_NODE_CORES = 8
_CORE_DOLLARS = 25
_GIBIBYTE_DOLLARS = 4
"""What a month of one costs where machines are rented, by order of magnitude."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "--|" * len(head), *lines[1:]]) + "\n"


def machine_line(report: Report) -> str:
    """Return what it was measured on, as a paragraph."""
    return f"\nMeasured on {report['machine']}, shared by everything.\n"


def measured() -> dict[str, Report]:
    """Return the systems of the main job that have a round that counts."""
    return {name: one for name, one in read(main_job.NAME)["systems"].items() if one["rounds"]}


def median(name: str, key: str) -> float:
    """Return the median of a system, messages a second."""
    value: float = measured()[name][key]["median"]
    return value


def headline() -> str:
    """Return what the README says: rates, and how many times idiomatic Celery."""
    rows = [
        [
            name,
            f"{median(name, 'accept'):,.0f}/s",
            f"{median(name, 'deliver'):,.0f}/s",
            *(_ratio(name, CELERY.name, key) for key in ("accept", "deliver")),
        ]
        for name in measured()
    ]
    head = ["", "accept", "deliver to both channels", "accept, times Celery", "deliver, times Celery"]
    return table(head, rows) + machine_line(read(main_job.NAME))


def main_table(report: Report) -> str:
    """Return accept and deliver of each system with spread, CPU and what was void."""
    head = ["", "rounds", "accept/s", "deliver/s", "CPU us: producer", "workers", "Redis", "gateway", "sent again"]
    rows = [_main_row(name, one) for name, one in report["systems"].items()]
    voids = "".join(
        f"\nVoid rounds of {name}: {len(one['void'])}.\n" for name, one in report["systems"].items() if one["void"]
    )
    packages = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return table(head, rows) + voids + f"\nMedians, with least and greatest. {packages}.\n"


def _main_row(name: str, one: Report) -> list[str]:
    if not one["rounds"]:
        return [name, "0", *["void"] * 7]
    rates = [_with_reach(one[key]) for key in ("accept", "deliver")]
    cpu = [f"{one['cpu_us'][process]['median']:,.0f}" for process in ("producer", "workers", "redis", "gateway")]
    return [name, str(one["rounds"]), *rates, *cpu, f"{sum(one['repeats']):,}"]


def _with_reach(spread: dict[str, float]) -> str:
    return f"{spread['median']:,.0f} ({spread['min']:,.0f} to {spread['max']:,.0f})"


def goals() -> str:
    """Return the goals beside what was measured."""
    best = max((one.name for one in PEERS if one.name in measured()), key=lambda name: median(name, "deliver"))
    rows = [
        ["deliver, 20 a call, times idiomatic Celery", "40", _ratio(TWENTY.name, CELERY.name, "deliver")],
        [f"the same, times the best peer ({best})", "10", _ratio(TWENTY.name, best, "deliver")],
        ["deliver, 1 a call, times idiomatic Celery", "20", _ratio(ONE.name, CELERY.name, "deliver")],
        [f"the same, times the best peer ({best})", "5", _ratio(ONE.name, best, "deliver")],
        ["accept, batch, one process", "50,000/s", f"{median(TWENTY.name, 'accept'):,.0f}/s"],
        ["the same, times idiomatic Celery", "30", _ratio(TWENTY.name, CELERY.name, "accept")],
        ["accept, `always` to `everysec`", "0.6", _ratio(ALWAYS.name, TWENTY.name, "accept", 2)],
        ["deliver, `always` to `everysec`", "0.6", _ratio(ALWAYS.name, TWENTY.name, "deliver", 2)],
        *_goals_beside(),
    ]
    return table(["", "goal", "measured"], rows)


def _goals_beside() -> list[list[str]]:
    single, fair = read(latency.NAME), read(fairness.NAME)
    half, alone = single["half_load"]["deliver_milliseconds"], fair["single_milliseconds"]
    sizes, processes = read(backlog.NAME)["sizes"], read(scaling.NAME)["processes"]
    whole = [sum(row["cpu_us"].values()) for row in sizes]
    looked_up = max(row["a_second"] for row in read(lookup.NAME)["sizes"])
    accept = single["accept"]
    return [
        ["accept, single HTTP sends, one API process", "8,000/s", f"{accept['a_second']:,.0f}/s"],
        ["the same, p99", "20 ms", f"{accept['milliseconds']['p99']:,.1f} ms"],
        ["the same, requests verified", "5,000/s", f"{_verified()['a_second']['median']:,.0f}/s"],
        ["single send, accepted to delivered, half load", "p50 10 ms, p99 50 ms", _p50_p99(half)],
        [f"single send while {fair['large']:,} drain", "p99 250 ms", f"p99 {alone['p99']:,.0f} ms"],
        ["share of the second merchant's batch", "0.475 to 0.525", f"{fair['share']:.3f}"],
        ["CPU a message, largest to smallest backlog", "0.9 to 1.1", f"{whole[-1] / whole[0]:.2f}"],
        ["record beyond its payload", "1,024 bytes", f"{sizes[-1]['record_bytes']:,.0f} bytes"],
        ["look-up in batches", "50,000/s", f"{looked_up:,.0f}/s"],
        ["most worker processes, share of linear", "0.9", f"{processes[-1]['of_linear']:.2f}"],
    ]


def _verified() -> Report:
    verified: Report = read(signatures.NAME)["ways"][signatures.VERIFIED]
    return verified


def _ratio(name: str, other: str, key: str, digits: int = 1) -> str:
    if name not in measured() or other not in measured():
        return "void"
    return f"{median(name, key) / median(other, key):.{digits}f}"


def _p50_p99(took: dict[str, float]) -> str:
    return f"p50 {took['p50']:,.1f} ms, p99 {took['p99']:,.1f} ms"


def gateway_table(report: Report) -> str:
    """Return what the simulator answers alone."""
    rows = [
        [
            f"{one['size']}",
            f"{one['calls_a_second']:,.0f}",
            f"{one['messages_a_second']:,.0f}",
            f"{one['cpu_us_a_message']:,.1f}",
        ]
        for one in report["sizes"]
    ]
    head = ["messages a call", "calls/s", "messages of both channels/s", "its CPU, us a message"]
    reached = [
        f"{median(name, 'deliver') / one['messages_a_second']:.0%} with {one['size']}"
        for name, one in zip((TWENTY.name, ONE.name), report["sizes"], strict=True)
    ]
    return table(head, rows) + f"\nIn the main job tidings reaches {' and '.join(reached)} a call of that.\n"


def scaling_table(report: Report) -> str:
    """Return rates by the number of worker processes."""
    rows = [
        [str(row["processes"]), _with_reach(row["a_second"]), f"{row['of_linear']:.2f}"] for row in report["processes"]
    ]
    return table(["worker processes", "deliver/s", "of linear"], rows)


def fairness_table(report: Report) -> str:
    """Return how singles and the other batch fared."""
    took = report["single_milliseconds"]
    rows = [
        [f"single sends while {report['large']:,} drain", f"{_p50_p99(took)}, slowest {took['max']:,.0f} ms"],
        [f"share of a batch of {report['small']:,} of another merchant", f"{report['share']:.3f}"],
    ]
    return table(["", ""], rows)


def latency_table(report: Report) -> str:
    """Return rates and times of single sends."""
    half = report["half_load"]
    rows = [
        ["accept alone", f"{report['accept']['a_second']:,.0f}/s", _p50_p99(report["accept"]["milliseconds"])],
        ["accept and deliver, most", f"{report['capacity']:,.0f}/s", ""],
        ["at half of that: accepted", f"{half['sent']:,.0f}/s", _p50_p99(half["accept_milliseconds"])],
        ["at half of that: delivered", "", _p50_p99(half["deliver_milliseconds"])],
    ]
    return table(["", "rate", "took"], rows)


def signatures_table(report: Report) -> str:
    """Return what signatures cost a single send."""
    rows = [
        [
            name,
            _with_reach(one["a_second"]),
            f"{one['ratio']:.2f}",
            f"{one['cpu_us']['median']:,.0f}",
            _p50_p99(one["milliseconds"]),
        ]
        for name, one in report["ways"].items()
    ]
    return table(["", "accept/s", "of that without", "CPU us of the API process", "took"], rows)


def backlog_table(report: Report) -> str:
    """Return what a message costs by the size of the backlog."""
    rows = [
        [
            f"{row['size']:,}",
            *(f"{row['cpu_us'][process]:,.0f}" for process in ("producer", "workers", "redis")),
            *(f"{row[key]:,.0f}" for key in ("waiting_bytes", "settled_bytes", "record_bytes", "payload_bytes")),
        ]
        for row in report["sizes"]
    ]
    head = ["backlog", "CPU us: producer", "workers", "Redis", "bytes: waiting", "settled", "its record", "its payload"]
    return table(head, rows)


def lookup_table(report: Report) -> str:
    """Return look-ups a second by size of the batch."""
    rows = [[f"{row['size']:,}", f"{row['a_second']:,.0f}", _p50_p99(row["milliseconds"])] for row in report["sizes"]]
    return table(["requestIds a batch", "requestIds/s", "a batch took"], rows)


def budget_table(report: Report) -> str:
    """Return where each microsecond goes."""
    parts = report["parts"]
    total = sum(sum(of.values()) for of in parts.values())
    rows = [
        [process, part, f"{value:,.1f}", f"{value / total:.0%}"]
        for process, of in parts.items()
        for part, value in of.items()
    ]
    return table(["process", "part", "CPU us a message", "share"], [*rows, ["all", "", f"{total:,.1f}", "100%"]])


def limit_table() -> str:
    """Return the most that this machine could deliver at this CPU cost, and how far the measured rate is from it."""
    report = read(main_job.NAME)
    cores = int(report["machine"].partition(" ")[0])
    rows = []
    for name in (TWENTY.name, ONE.name):
        used = {process: spread["median"] for process, spread in measured()[name]["cpu_us"].items()}
        delivering = sum(used[process] for process in ("workers", "redis", "gateway"))
        limit, reached = cores * _MILLION / delivering, median(name, "deliver")
        rows.append([name, f"{delivering:,.0f}", f"{limit:,.0f}", f"{reached:,.0f}", f"{reached / limit:.0%}"])
    return table(["", "CPU us a message while delivering", f"limit of {cores} cores/s", "measured/s", "reached"], rows)


def arithmetic_table() -> str:
    """Return what 100,000 messages a second would take, from CPU and memory a message."""
    used = {process: spread["median"] for process, spread in measured()[TWENTY.name]["cpu_us"].items()}
    settled = read(backlog.NAME)["sizes"][-1]["settled_bytes"]
    cores = sum(_AIM * used[process] / _MILLION for process in ("producer", "workers", "redis"))
    gibibytes = settled * _AIM * 3_600 / 2**30
    dollars = 2 * cores * _CORE_DOLLARS + 2 * gibibytes * _GIBIBYTE_DOLLARS
    rows = [
        ["intake", f"{used['producer']:,.0f} us", f"{_cores(used['producer'])} cores, as many processes"],
        ["workers", f"{used['workers']:,.0f} us", f"{_cores(used['workers'])} cores, as many worker processes"],
        ["Redis", f"{used['redis']:,.0f} us", f"{_cores(used['redis'])} cores: at least as many primaries"],
        [
            "Redis, kept",
            f"{settled:,.0f} bytes",
            f"{gibibytes:,.0f} GiB an hour of retention",
        ],
        [
            "in all, at half load",
            "",
            f"{2 * cores:,.0f} cores: {math.ceil(2 * cores / _NODE_CORES)} nodes of {_NODE_CORES}",
        ],
        ["in all, an hour kept on two servers", "", f"{dollars:,.0f} dollars a month"],
    ]
    return table(["", "a message", f"at {_AIM:,} messages a second"], rows)


def _cores(microseconds: float) -> str:
    return f"{_AIM * microseconds / _MILLION:,.1f}"


def _of(benchmark: ModuleType, write: Callable[[Report], str]) -> Callable[[], str]:
    """Return what writes a benchmark's table, with what it was measured on below."""

    def written() -> str:
        report = read(benchmark.NAME)
        return write(report) + machine_line(report)

    return written


TABLES: dict[str, Callable[[], str]] = {
    "headline": headline,
    "main": _of(main_job, main_table),
    "goals": goals,
    "gateway": _of(gateway_limit, gateway_table),
    "scaling": _of(scaling, scaling_table),
    "fairness": _of(fairness, fairness_table),
    "latency": _of(latency, latency_table),
    "signatures": _of(signatures, signatures_table),
    "backlog": _of(backlog, backlog_table),
    "lookup": _of(lookup, lookup_table),
    "budget": _of(budget, budget_table),
    "limit": limit_table,
    "arithmetic": arithmetic_table,
}
