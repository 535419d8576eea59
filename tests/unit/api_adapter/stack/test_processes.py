from pathlib import Path

from api_adapter.stack.processes import tail_of


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("".join(f"line {number}\n" for number in range(20_000)))

    tail = tail_of(log)

    assert tail.startswith(f"; the end of {log}:\n    line 19985\n")
    assert tail.endswith("\n    line 19999")


def test_a_log_that_is_not_there_has_no_tail(tmp_path: Path) -> None:
    assert tail_of(tmp_path / "none.log") == ""


def test_a_log_may_hold_any_bytes(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_bytes(b"caf\xe9\n")

    assert tail_of(log).endswith("caf\N{REPLACEMENT CHARACTER}")
