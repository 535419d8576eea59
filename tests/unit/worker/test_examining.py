import asyncio

from structlog.testing import capture_logs

from tests.fakes.durability import FakeDurability
from worker.contract.findings import Finding, Severity
from worker.examining import log_durability

EVICTS = Finding(Severity.ERROR, "it evicts", "set maxmemory-policy noeviction")
FULL = Finding(Severity.WARNING, "it is full", "raise maxmemory")


def logged(durability: FakeDurability) -> list[tuple[str, str, str]]:
    with capture_logs() as logs:
        asyncio.run(log_durability(durability))
    assert {line["log_level"] for line in logs} <= {"warning"}
    return [(line["event"], line["what"], line["advice"]) for line in logs]


def test_stores_without_a_fault_are_not_mentioned() -> None:
    assert logged(FakeDurability()) == []


def test_each_finding_is_a_warning_of_its_store() -> None:
    durability = FakeDurability()
    durability.of_ledger, durability.of_broker = [EVICTS, FULL], [FULL]

    assert logged(durability) == [
        ("ledger_not_durable", EVICTS.what, EVICTS.advice),
        ("ledger_not_durable", FULL.what, FULL.advice),
        ("broker_not_durable", FULL.what, FULL.advice),
    ]


def test_a_ledger_that_is_away_hides_nothing_of_the_broker() -> None:
    durability = FakeDurability()
    durability.away, durability.of_broker = True, [FULL]

    assert logged(durability) == [("broker_not_durable", FULL.what, FULL.advice)]
