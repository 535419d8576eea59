"""Every benchmark that leaves figures, by the name it is asked for, in the order in which all of them run."""

from types import ModuleType

from benchmarks import backlog, budget, fairness, gateway_limit, latency, lookup, main_job, scaling, signatures

BENCHMARKS: dict[str, ModuleType] = {
    "gateway": gateway_limit,
    "main": main_job,
    "scaling": scaling,
    "fairness": fairness,
    "latency": latency,
    "signatures": signatures,
    "backlog": backlog,
    "lookup": lookup,
    "budget": budget,
}
"""Each has NAME, `add_options`, `measure` (the report) and `chart` (SVG of a report)."""
