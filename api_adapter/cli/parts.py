"""`tidings serve`, `worker` and `gateway`: each part of the stack alone."""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api_adapter.cli.context import told
from api_adapter.listening import usable_port
from api_adapter.wiring import make_answer_headers
from worker.adapters.gateways.simulator import Idempotency, SimulatorSettings
from worker.adapters.gateways.simulator import run as run_simulator
from worker.adapters.telemetry.logs import configure_logs
from worker.bootstrap import check_ledger, stores
from worker.clock import SystemClock
from worker.hinting import check_broker
from worker.local_secrets import token_secret
from worker.settings import read_settings

Host = Annotated[str | None, typer.Option(help="Address to listen on; default: the setting.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port to listen on, 0 for a free one; default: the setting.")
]


class Pool(StrEnum):
    """Celery's pools that carry a delivery loop."""

    PREFORK = "prefork"
    SOLO = "solo"
    THREADS = "threads"


def serve(host: Host = None, port: Port = None) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C.

    Against TIDINGS_REDIS_URL, or the embedded Valkey of TIDINGS_DATA_DIR when that is unset. It listens on
    TIDINGS_API_HOST and TIDINGS_API_PORT. A Redis or broker that is away is waited for.

    Exit code: 0 it was told to end; 2 a setting can't be used, or does not fit the ledger.
    """
    with told():
        from api_adapter.http.server import serve as serve_http  # noqa: PLC0415 - loads the HTTP server

        settings = read_settings()
        token_secret(settings)
        make_answer_headers(settings, SystemClock())
        configure_logs(settings.log_format, settings.log_level)
        given = {"api_host": host, "api_port": port}
        chosen = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
        # The server's own process would tell of these with a traceback, once it is up.
        with stores(settings) as addresses:
            check_broker(addresses)
            asyncio.run(check_ledger(settings, addresses))
            serve_http(chosen)


def worker(
    children: Annotated[int, typer.Option(min=1, help="Child processes; default: one a core.")] = os.cpu_count() or 1,
    pool: Annotated[Pool, typer.Option(help="Celery's pool; prefork unless you debug.")] = Pool.PREFORK,
    name: Annotated[
        str | None,
        typer.Option(help="Node name for `celery inspect`, %h is the host; default: tidings-<process id>@%h."),
    ] = None,
) -> None:
    """Run a delivery worker until SIGTERM or Ctrl-C; it finishes what it is sending and hands on the rest.

    The same as `celery -A worker worker`, which takes all of Celery's own options. Start as many as you like, anywhere.

    Exit code: 0 it drained, as SIGTERM or Ctrl-C asked; 1 it was hurried, by a second Ctrl-C or SIGQUIT; 2 a setting
    can't be used, or does not fit the ledger; 75 it lived and did not work, and ended itself to be started again.
    """
    with told():
        settings = read_settings()
        from worker.celery import run  # noqa: PLC0415 - the entry module of the worker alone

        level = {"warning": "WARNING", "error": "ERROR"}.get(settings.log_level, settings.log_level.upper())
        arguments = [f"--concurrency={children}", f"--pool={pool}", f"--loglevel={level}"]
        raise typer.Exit(run([*arguments, *([f"--hostname={name}"] if name else [])]))


def gateway(
    host: Host = None,
    port: Port = None,
    idempotency: Annotated[
        Idempotency,
        typer.Option(help="Whether a messageId delivered before is delivered again."),
    ] = Idempotency.HONOURED,
    journal: Annotated[Path | None, typer.Option(help="File that every valid call is appended to, as JSON.")] = None,
) -> None:
    """Run the gateway simulator: a wallet that plays what each user's id says, such as sim-retry-2-ann.

    GET /counts tells what it delivered, GET / shows it. The script language is in the README. It listens on
    TIDINGS_GATEWAY_HOST and TIDINGS_GATEWAY_PORT until SIGTERM or Ctrl-C.
    """
    with told():
        settings = read_settings()
        configure_logs(settings.log_format, settings.log_level)
        chosen = SimulatorSettings(
            host=settings.gateway_host if host is None else host,
            port=settings.gateway_port if port is None else port,
            idempotency=idempotency,
            journal=journal,
        )
        usable_port(chosen.host, chosen.port, "TIDINGS_GATEWAY")
        run_simulator(chosen)
