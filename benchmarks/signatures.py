"""Signed single sends over HTTP: API processes that verify, and sign their answers, beside one that does neither.

They share one ledger and take turns, so that what else the machine does hinders all alike. Requests are signed before
the clock starts. Nobody delivers. A send that is refused ends the benchmark.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from benchmarks import charts
from benchmarks.api_process import ApiProcess, api
from benchmarks.bodies import bodies
from benchmarks.http_load import CLIENT, Connection, connect, flat_out, post
from benchmarks.latency import APP, SEND, rate_of, refused
from benchmarks.results_file import Report, four, percentiles, spread
from benchmarks.rounds import VoidError
from benchmarks.stack import Servers, servers
from benchmarks.tidings_producer import opened_front
from worker.bootstrap import Services
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.moments import moment_text
from worker.signatures import Signer, normal_public_key, signed_content

NAME = "signatures"
VERIFIED = "requests verified"
_BITS = 2048
_EXPONENT = 65537
_VERIFYING = {"TIDINGS_SIGNATURES": "required"}


@dataclass(frozen=True)
class Way:
    """How an API process treats signatures."""

    name: str
    environ: Mapping[str, str] = field(default_factory=dict)
    signs_requests: bool = True
    signs_answers: bool = False


class Turn(NamedTuple):
    """What one round of one way measured."""

    a_second: float
    cpu_us: float
    """Of the API process, for each send."""
    milliseconds: Mapping[str, float]


class Contender(NamedTuple):
    """An API process, and connections to it."""

    process: ApiProcess
    connections: Sequence[Connection]


def key_pair() -> tuple[bytes, str]:
    """Return an RSA key as PEM: the private one, and the public one as it is registered."""
    key = generate_private_key(_EXPONENT, _BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, normal_public_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def ways(answer_key: Path) -> list[Way]:
    """Return what is compared, the one without signatures first."""
    signing = {**_VERIFYING, "TIDINGS_SIGNING_KEY_FILE": str(answer_key)}
    return [
        Way("no signatures", signs_requests=False),
        Way(VERIFIED, _VERIFYING),
        Way(f"{VERIFIED}, answers signed", signing, signs_answers=True),
    ]


def signature_headers(signer: Signer, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sends a body, now (R21 to R23)."""
    at = moment_text(time.time_ns() // 1_000_000)
    return {"Request-Time": at, "Signature": signer.header(signed_content(SEND, CLIENT, at, body))}


def requests(way: Way, signer: Signer, number: int) -> list[bytes]:
    """Return sends as they go over the wire."""
    unsigned: Mapping[str, str] = MappingProxyType({})
    return [
        post(SEND, body, signature_headers(signer, body) if way.signs_requests else unsigned)
        for body in bodies(number, APP)
    ]


def prove(way: Way, process: ApiProcess, signer: Signer) -> None:
    """Raise VoidError unless the process treats signatures as its way says."""
    signed, other = bodies(2, APP)
    head = {"Client-Id": CLIENT, "Content-Type": "application/json", **signature_headers(signer, signed)}
    connection = HTTPConnection(urlsplit(process.address).netloc)
    connection.request("POST", SEND, other, head)
    answer = connection.getresponse()
    is_refused = b"INVALID_SIGNATURE" in answer.read()
    connection.close()
    if is_refused != way.signs_requests or bool(answer.headers["Signature"]) != way.signs_answers:
        raise VoidError(f"{way.name}: signatures are not treated so")


async def turn(way: Way, contender: Contender, signer: Signer, number: int) -> Turn:
    """Play one round. Raises VoidError if a send is refused."""
    ready = requests(way, signer, number)
    before = contender.process.cpu_seconds()
    exchanges = await flat_out(contender.connections, ready)
    used = contender.process.cpu_seconds() - before
    if refused(exchanges):
        raise VoidError(f"{way.name}: {refused(exchanges)} of {number} sends refused")
    return Turn(rate_of(exchanges), used / number * 1e6, percentiles(one.milliseconds for one in exchanges))


async def register(services: Services, public_key: str) -> None:
    """Register the client with its key, as `tidings client add` does."""
    client = RegisteredClient(CLIENT, frozenset({APP}), (ClientKey(1, public_key),))
    await services.clients.change(CLIENT, lambda _: client)


async def run(found: Servers, given: argparse.Namespace) -> Report:
    """Let all ways take turns."""
    private, public = key_pair()
    signer, answer_key = Signer(private, 1), found.directory / "answers.pem"
    answer_key.write_bytes(key_pair()[0])
    chosen = ways(answer_key)
    turns: dict[str, list[Turn]] = {way.name: [] for way in chosen}
    async with opened_front(found.gateway_url, APP) as opened, AsyncExitStack() as stack:
        await register(opened.services, public)
        contenders = []
        for way in chosen:
            process = stack.enter_context(api(found, way.environ))
            await asyncio.to_thread(prove, way, process, signer)
            contenders.append(Contender(process, await connect(process.address, given.connections)))
        for number in (given.connections, *[given.messages] * given.rounds):
            for way, contender in zip(chosen, contenders, strict=True):
                turns[way.name].append(await turn(way, contender, signer, number))
                print(f"{way.name}: {turns[way.name][-1]}", flush=True)
        for contender in contenders:
            for connection in contender.connections:
                connection.close()
    return report_of({name: measured[1:] for name, measured in turns.items()}, given)


def report_of(turns: Mapping[str, Sequence[Turn]], given: argparse.Namespace) -> Report:
    """Return the report; a ratio is the median of the rounds' own, each to the first way's turn of that round."""
    first = next(iter(turns.values()))
    return {
        "connections": given.connections,
        "messages": given.messages,
        "rounds": given.rounds,
        "ways": {
            name: {
                "a_second": spread(one.a_second for one in measured),
                "cpu_us": spread(one.cpu_us for one in measured),
                "milliseconds": {
                    key: four(statistics.median(one.milliseconds[key] for one in measured)) for key in ("p50", "p99")
                },
                "ratio": four(
                    statistics.median(
                        one.a_second / unsigned.a_second for one, unsigned in zip(measured, first, strict=True)
                    )
                ),
            }
            for name, measured in turns.items()
        },
    }


def chart(report: Report) -> str:
    """Return sends a second by way."""
    rows = [
        charts.Bar(
            name,
            (rate := one["a_second"])["median"],
            (rate["min"], rate["max"]),
            f"{rate['median']:,.0f}/s",
            is_ours=True,
        )
        for name, one in report["ways"].items()
    ]
    return charts.bars("Single sends over HTTP, one API process: sends a second", report["machine"], rows)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--messages", type=int, default=5_000, help="of each round and way")
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--rounds", type=int, default=10)


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        os.environ.update(found.environment())
        return uvloop.run(run(found, given))
