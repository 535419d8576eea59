import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.contract.errors import SettingsError
from worker.local_secrets import token_secret
from worker.settings import Settings

RACE = """
import sys, time
from pathlib import Path
from worker.local_secrets import token_secret
from worker.settings import Settings
data, start = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while not start.exists():
    time.sleep(0)
print(token_secret(Settings(data_dir=data)).decode())
"""


def kept_in(data: Path) -> bytes:
    return token_secret(Settings(data_dir=data))


def test_a_configured_secret_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", token_secret=SecretStr("0123456789abcdeé"))

    assert token_secret(settings) == "0123456789abcdeé".encode()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["", "redis://ledger.test/0"])
def test_a_short_secret_is_refused_by_its_name_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="TIDINGS_TOKEN_SECRET: must have at least 16 characters") as refused:
        token_secret(Settings(token_secret=SecretStr("0123456789abcde"), redis_url=url))

    assert "0123456789abcde" not in str(refused.value)


def test_a_shared_redis_needs_a_shared_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TIDINGS_TOKEN_SECRET: is required with TIDINGS_REDIS_URL"):
        token_secret(Settings(data_dir=tmp_path, redis_url="redis://ledger.test/0"))

    assert list(tmp_path.iterdir()) == []


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "not" / "yet"

    first = kept_in(data)

    assert len(first) >= 32
    assert kept_in(data) == first
    (file,) = data.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    assert kept_in(tmp_path / "one") != kept_in(tmp_path / "other")


def test_the_process_that_is_second_takes_the_firsts_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def while_another_process_was_faster(_length: int) -> str:
        (tmp_path / "token-secret").write_text("the first one's secret")
        return "ours, too late"

    monkeypatch.setattr(secrets, "token_urlsafe", while_another_process_was_faster)

    assert kept_in(tmp_path) == b"the first one's secret"
    assert [file.name for file in tmp_path.iterdir()] == ["token-secret"]


def test_processes_that_start_at_once_share_one_secret(tmp_path: Path) -> None:
    data, start = tmp_path / "data", tmp_path / "start"
    command = [sys.executable, "-c", RACE, str(data), str(start)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    start.touch()
    found = {racer.communicate(timeout=30)[0] for racer in racers}

    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert found == {(data / "token-secret").read_text() + "\n"}
    assert [file.name for file in data.iterdir()] == ["token-secret"]
