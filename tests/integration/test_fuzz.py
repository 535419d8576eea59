"""A few seconds of `make fuzz`, always the same ones, and that it would find what it looks for."""

import asyncio
from collections.abc import Iterator

import pytest
import redis

from tests.fuzz.exchanges import Answered, Exchange
from tests.fuzz.exploring import Exploration
from tests.fuzz.inputs import Input
from tests.fuzz.judging import faults
from tests.fuzz.running import play
from tests.fuzz.stage import Served, stage
from worker.adapters.redis.embedded import EmbeddedValkey

SEED = 7
INPUTS = 600
WHOLE = Input(1, b"", "POST /send", 1, has_results=True)
PART = Input(2, b"", "POST /send", 0, has_results=False)


@pytest.fixture(scope="module")
def servers(valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Served]]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    with stage(valkey.url, tmp_path_factory.mktemp("fuzz")) as found:
        yield found


def test_hundreds_of_inputs_are_answered_and_nothing_breaks(servers: list[Served]) -> None:
    targets = [server.target(SEED) for server in servers]

    outcome = asyncio.run(play(targets, range(INPUTS), lambda *_: None))

    assert outcome.findings == []
    assert outcome.done == INPUTS
    assert {200, 400, 404} <= outcome.statuses.keys()
    assert [server.complaints for server in servers] == [[], []]


def test_schemathesis_finds_every_operation_as_documented(servers: list[Served]) -> None:
    explored = Exploration(servers[0].api, SEED)

    explored.run(20)

    assert explored.faults == []
    assert explored.done >= 10
    assert servers[0].complaints == []


def test_an_input_is_made_of_its_seed_and_number_alone(servers: list[Served]) -> None:
    inputs, again, other = (servers[0].target(seed).inputs for seed in (SEED, SEED, SEED + 1))

    made = [inputs.make(number) for number in range(50)]

    assert made == [again.make(number) for number in reversed(range(50))][::-1]
    assert made != [other.make(number) for number in range(50)]


def answered(status: int, body: bytes) -> Exchange:
    return Exchange([Answered(status, "application/json", body)], hung=False, unreadable="")


@pytest.mark.parametrize(
    ("given", "became", "found"),
    [
        (WHOLE, Exchange([], hung=True, unreadable=""), "hang"),
        (WHOLE, Exchange([], hung=False, unreadable=""), "silence"),
        (WHOLE, Exchange([], hung=False, unreadable="binary"), "no HTTP"),
        (WHOLE, answered(500, b""), "5xx"),
        (PART, answered(503, b""), "5xx"),
        (WHOLE, answered(200, b"{}"), "no result"),
        (WHOLE, answered(200, b'{"result": {"resultStatus": "U"}}'), "U"),
    ],
)
def test_each_fault_is_found(given: Input, became: Exchange, found: str) -> None:
    assert [fault.partition(":")[0] for fault in faults(given, became)] == [found]


@pytest.mark.parametrize(
    ("given", "became"),
    [
        (WHOLE, answered(200, b'{"result": {"resultStatus": "F"}}')),
        (WHOLE, answered(431, b"")),
        (PART, Exchange([], hung=False, unreadable="")),
    ],
)
def test_what_is_as_it_must_be_is_no_fault(given: Input, became: Exchange) -> None:
    assert list(faults(given, became)) == []
