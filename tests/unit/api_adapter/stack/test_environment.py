import os
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr

from api_adapter.stack.environment import environment
from worker.contract.introspection import MemberNames
from worker.settings import PREFIX, Settings, read_settings


def changed(**values: object) -> Settings:
    return Settings.model_construct().model_copy(update=values)


def test_a_part_reads_exactly_the_settings_of_its_starter(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = changed(
        data_dir=Path("/data/here"),
        token_secret=SecretStr("at-least-sixteen-characters"),
        clients={"merchant-1": ("app-1", "app-2")},
        introspection_members=MemberNames(wallet="/ext/wallet"),
        callback_networks=(ip_network("10.1.0.0/16"), ip_network("::1/128")),
        api_prefix="/api/open",
        lease=4_000,
        log_format="console",
    )

    for name, value in environment(settings, {}).items():
        monkeypatch.setenv(name, value)

    assert read_settings() == settings


def test_a_part_sees_no_setting_that_its_starter_did_not_hand_down() -> None:
    inherited = {"PATH": "/bin", "TIDINGS_SHARDS": "3", "tidings_lease": "1", "TIDINGS_OF_OLD": "x"}

    handed = environment(changed(), inherited)

    assert handed["PATH"] == "/bin"
    assert handed["TIDINGS_SHARDS"] == "16"
    assert not {"tidings_lease", "TIDINGS_OF_OLD"} & handed.keys()


def test_a_data_directory_is_the_same_wherever_a_part_runs() -> None:
    handed = environment(changed(data_dir=Path(".tidings")), os.environ)

    assert handed[f"{PREFIX}DATA_DIR"] == str(Path.cwd() / ".tidings")
