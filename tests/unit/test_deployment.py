import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command
from typing_extensions import override

from api_adapter.cli.main import app
from worker.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAYING = sorted(set(SERVICES) - {"samples"})
OURS = sorted(set(SERVICES) - {"redis"})


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def last(name: str) -> str:
    return next(rest for found, rest in reversed(instructions()) if found == name)


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


@contextmanager
def server_answering(status: int) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_the_compose_file_follows_the_official_schema() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())

    jsonschema.validate(COMPOSE, schema)


def test_the_official_schema_would_refuse_a_misspelt_option() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    misspelt = {"services": {"api": {"image": "tidings", "stop_grace_time": "20s"}}}

    with pytest.raises(jsonschema.ValidationError, match="stop_grace_time"):
        jsonschema.validate(misspelt, schema)


def test_the_parts_are_all_there() -> None:
    assert {"redis", "api", "worker", "gateway"} <= set(SERVICES)


@pytest.mark.parametrize("service", STAYING)
def test_every_service_that_stays_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("service", OURS)
def test_our_services_run_the_image_without_privileges(service: str) -> None:
    settings = SERVICES[service]

    assert settings["image"] == "tidings"
    assert "user" not in settings
    assert settings["cap_drop"] == ["ALL"]
    assert settings["read_only"] is True


def test_nothing_keeps_the_worker_from_scaling() -> None:
    assert not {"container_name", "ports", "hostname"} & set(SERVICES["worker"])


def test_the_worker_may_finish_what_it_holds_before_it_is_killed() -> None:
    drain = Settings.model_fields["drain_timeout"].default / 1_000

    assert seconds(SERVICES["worker"]["stop_grace_period"]) > drain + 10


def test_a_worker_that_recycled_itself_is_started_again() -> None:
    assert SERVICES["worker"]["restart"] == "unless-stopped"


def test_the_health_check_asks_a_worker_by_the_name_that_it_was_given() -> None:
    _, _, name = SERVICES["worker"]["command"]
    probe = SERVICES["worker"]["healthcheck"]["test"][-1]

    assert probe.endswith(f"--destination {name.replace('%h', '$$HOSTNAME')}")


def test_the_ledger_is_durable_and_never_evicts() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))

    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["ledger:/data"]
    assert "ledger" in COMPOSE["volumes"]


def test_the_ledger_is_not_reachable_from_outside() -> None:
    assert "ports" not in SERVICES["redis"]


def test_the_broker_has_a_database_of_its_own() -> None:
    environment = SERVICES["worker"]["environment"]

    assert environment["TIDINGS_REDIS_URL"] != environment["TIDINGS_BROKER_URL"]


@pytest.mark.parametrize("service", OURS)
def test_a_missing_token_secret_stops_the_start_with_a_reason(service: str) -> None:
    secret = SERVICES[service]["environment"]["TIDINGS_TOKEN_SECRET"]

    assert re.fullmatch(r"\$\{TIDINGS_TOKEN_SECRET:\?[^}]{20,}\}", secret)


@pytest.mark.parametrize("service", ["api", "worker"])
def test_nothing_starts_before_the_ledger_is_healthy(service: str) -> None:
    assert SERVICES[service]["depends_on"]["redis"] == {"condition": "service_healthy"}


def test_every_variable_is_a_setting_that_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    in_image = {entry.partition("=")[0] for entry in last("ENV").split()}
    used = {name for name in set(SERVICES["api"]["environment"]) | in_image if name.startswith(PREFIX)}

    assert used
    assert used <= known


@pytest.mark.parametrize("service", OURS)
def test_the_commands_that_a_service_runs_are_understood(service: str) -> None:
    script = SERVICES[service]["command"]
    lines = [" ".join(["tidings", *script])] if service != "samples" else script[0].splitlines()
    for line in lines:
        program, *arguments = shlex.split(line)
        command: Any = get_command(app)
        while hasattr(command, "commands"):
            name, *arguments = arguments
            command = command.commands[name]

        assert program == "tidings"
        assert command.make_context(line, arguments)


def test_the_image_does_not_run_as_root() -> None:
    assert last("USER").split(":")[0] not in {"", "0", "root"}


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD"])
def test_the_process_gets_its_signals_itself(instruction: str) -> None:
    assert isinstance(json.loads(last(instruction)), list)
    assert last("STOPSIGNAL") == "SIGTERM"


def test_the_image_installs_from_the_hashed_locks_alone() -> None:
    installs = [
        command
        for name, rest in instructions()
        if name == "RUN"
        for command in rest.split("&&")
        if "pip install" in command
    ]

    assert installs
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)


def test_the_image_is_made_from_what_the_ignore_file_lets_through() -> None:
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]

    assert copied
    assert {f"!{source}" for source in copied} <= set(patterns)


@pytest.mark.parametrize(("service", "port"), [("image", 8080), ("api", 8080), ("gateway", 8090)])
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_a_health_check_tells_a_ready_server_from_one_that_is_not(
    service: str, port: int, status: int, *, healthy: bool
) -> None:
    probe = last("HEALTHCHECK").partition("CMD ")[2] if service == "image" else SERVICES[service]["healthcheck"]["test"]
    script = json.loads(probe)[-1] if service == "image" else probe[-1]
    with server_answering(status) as listening:
        assert f":{port}/" in script
        command = [sys.executable, "-c", script.replace(f":{port}/", f":{listening}/")]
        done = subprocess.run(command, check=False, capture_output=True)

    assert (done.returncode == 0) is healthy
