import json
import subprocess
import sys
from pathlib import Path

import pytest

from api_adapter.stack.claim import StackRunsError, claimed

URLS = {"api": "http://127.0.0.1:1"}


def test_a_second_claim_is_refused_and_names_what_runs(tmp_path: Path) -> None:
    with claimed(tmp_path) as claim:
        claim.note({"worker": 12, "api": 13}, URLS)

        with (
            pytest.raises(StackRunsError, match=r"\(processes: worker 12, api 13; .*TIDINGS_DATA_DIR"),
            claimed(tmp_path),
        ):
            pass


@pytest.mark.parametrize("note", [None, "", "[]", '{"urls": {}}'])
def test_a_second_claim_is_refused_whatever_the_note_says(tmp_path: Path, note: str | None) -> None:
    with claimed(tmp_path):
        if note is not None:
            (tmp_path / "stack.json").write_text(note)

        with pytest.raises(StackRunsError, match=rf"^a stack runs in {tmp_path}; use"), claimed(tmp_path):
            pass


def test_a_directory_is_free_again_when_its_stack_ended(tmp_path: Path) -> None:
    data_dir = tmp_path / "new"
    with claimed(data_dir) as claim:
        claim.note({"worker": 12}, URLS)
        assert json.loads((data_dir / "stack.json").read_text()) == {"processes": {"worker": 12}, "urls": URLS}
    assert not (data_dir / "stack.json").exists()

    with claimed(data_dir):
        assert (data_dir / "stack.lock").exists()


def test_a_part_that_outlives_its_starter_keeps_the_directory(tmp_path: Path) -> None:
    with claimed(tmp_path) as claim:
        part = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[claim.lock], text=True
        )
    with part:
        with pytest.raises(StackRunsError), claimed(tmp_path):
            pass
        part.communicate("\n")

    with claimed(tmp_path):
        assert part.returncode == 0
