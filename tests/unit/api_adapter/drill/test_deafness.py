"""What the signal does to a worker's consumer; a real worker goes deaf in tests/integration/test_watchdog.py."""

from types import SimpleNamespace
from typing import Any

import pytest

from api_adapter.drill.deafness import Deaf, on_signal


@pytest.fixture(autouse=True)
def hearing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deaf, "for_good", False)


def a_consumer() -> Any:  # noqa: ANN401 - what is touched of Celery's consumer
    qos = SimpleNamespace(can_consume=lambda: True)
    return SimpleNamespace(task_consumer=SimpleNamespace(channel=SimpleNamespace(qos=qos)))


def hears(consumer: Any) -> bool:  # noqa: ANN401 - as above
    return bool(consumer.task_consumer.channel.qos.can_consume())


@pytest.mark.parametrize(("plan", "after_a_new_connection"), [("", True), ("for good", False)])
def test_a_signal_deafens_a_worker_until_it_reconnects_or_for_good(
    monkeypatch: pytest.MonkeyPatch,
    plan: str,
    after_a_new_connection: bool,  # noqa: FBT001 - expected
) -> None:
    monkeypatch.setenv("TIDINGS_SABOTAGE_DEAF", plan)
    before, after = a_consumer(), a_consumer()

    on_signal(before)
    Deaf.start(SimpleNamespace(), after)  # type: ignore[arg-type]  # it keeps nothing

    assert not hears(before)
    assert hears(after) is after_a_new_connection
