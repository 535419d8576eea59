"""What docs/client.md and the docstrings show runs as it is written."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api_adapter import client
from tests.front_desk import APP, TOKEN
from tests.harmed_api import HarmedApi
from tests.keys import private_pem, public_pem

PAGE = Path(__file__).parents[4] / "docs" / "client.md"


def test_the_examples_of_the_page_run(
    api: HarmedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "merchant-1.pem").write_bytes(private_pem("merchant"))
    (tmp_path / "server.pub.pem").write_text(public_pem("server"))
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    script = "".join(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    for ours, theirs in {
        "http://127.0.0.1:8080": api.url,
        "server_keys={1:": "server_keys={7:",
        "333301": APP,
        "ORDER_READY": "PAYMENT_NOTICE",
        "token-of-a-user": TOKEN,
    }.items():
        assert ours in script
        script = script.replace(ours, theirs)

    with capture_logs():
        exec(compile(script, str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102 - what the page shows

    assert capsys.readouterr().out.splitlines()[1:] == [
        "order-42 S SUCCESS",
        "order-43 F PARAM_ILLEGAL",
        "1 0 1 0",
        "RUNNING",
        "U [('PUSH', 'U'), ('INBOX', 'U')]",
        "order-42 U",
        "order-43 NEVER_SEEN",
        "0 order-42 S U",
        "1 order-43 None NEVER_SEEN",
        "S",
    ]
    assert len(api.desk.taken()) == 1


def test_the_examples_of_the_docstrings_hold() -> None:
    for module in pkgutil.iter_modules(client.__path__, f"{client.__name__}."):
        assert doctest.testmod(importlib.import_module(module.name)).failed == 0
