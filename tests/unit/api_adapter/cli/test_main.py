"""What every command of `tidings` loads, whatever it does."""

import subprocess
import sys


def test_no_command_loads_a_worker_or_what_sabotages_one() -> None:
    """`tidings worker` runs in this very process: what fits itself to the worker on import would fit itself there."""
    program = "import sys, api_adapter.cli.main; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "api_adapter.cli.drill" in loaded
    assert not {"worker.celery", "api_adapter.drill.sabotage", "api_adapter.drill.deafness"}.intersection(loaded)


def test_commands_load_neither_the_task_queue_nor_the_http_server_before_they_need_them() -> None:
    program = "import sys, api_adapter.cli.main; print({'celery', 'kombu', 'granian', 'starlette'} & set(sys.modules))"

    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert run.stdout.strip() == "set()"
