"""The errors of a batch joined with files, whatever is in them."""

import csv
import gzip
import json
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_adapter import batch_files
from api_adapter.batch_files import format_of, opened, parts_of
from api_adapter.batch_rows import read_rows
from api_adapter.client.batch_jobs import BatchError, BatchLint
from api_adapter.client.batch_joining import Joining, PartsFile, cut_file, one_part
from api_adapter.client.errors import JoinError
from api_adapter.client.join_outputs import COLUMNS, Joined
from worker.contract.send_fields import LARGEST_SEND

HEAD = "requestId,accessToken,p.who\n"
SECRET = "a-token"


def lint(rows: Mapping[int, int], done: bool = True) -> BatchLint:  # noqa: FBT001, FBT002 - a field of an answer
    """Return what a batch has of its parts: how many rows of each."""
    parts = tuple({"part": number, "rows": count, "done": done} for number, count in rows.items())
    return BatchLint(ready=True, accepted=0, duplicate=0, rejected=0, parts=parts)


def error(part: int, row: int, request_id: str = "") -> BatchError:
    return BatchError(part=part, row=row, request_id=request_id, result_code="PARAM_ILLEGAL", result_message="$: bad")


def joined(found: BatchLint, errors: Sequence[BatchError], *files: PartsFile) -> tuple[Joined, ...]:
    with closing(Joining(files, found)) as joining:
        joining.begin()
        for one in errors:
            joining.take([one])
        return joining.finish()


def written(path: Path, content: str | bytes) -> Path:
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def table(path: Path | None) -> list[list[str]]:
    assert path is not None
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def csv_rows(*request_ids: str) -> str:
    return HEAD + "".join(f"{request_id},{SECRET},Ann\n" for request_id in request_ids)


def refused(found: BatchLint, errors: Sequence[BatchError], file: PartsFile) -> str:
    """Return why a join is refused that must leave the directory as it was, and tell nobody a token."""
    before = sorted(file.path.parent.iterdir())
    with pytest.raises(JoinError) as caught:
        joined(found, errors, file)
    assert sorted(file.path.parent.iterdir()) == before
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_rejected_rows_of_csv_come_back_as_they_were_written_with_their_lines(tmp_path: Path) -> None:
    head = '\ufeffrequestId,"accessToken",p.who\r\n'
    kept = f'b,{SECRET},"said ""hi"""\r\nc,{SECRET}\r\nd,{SECRET},z'
    content = f'{head}a,{SECRET},"x\r\ny"\r\n\r\n{kept}'
    file = written(tmp_path / "big.csv.gz", content)

    (found,) = joined(lint({1: 4}), [error(1, 4, "b"), error(1, 5), error(1, 6, "d")], cut_file(file))

    assert found == Joined(file, 3, tmp_path / "big.failed.csv", tmp_path / "big.errors.csv")
    assert (tmp_path / "big.failed.csv").read_bytes().decode() == f"{head}{kept}\r\n"
    assert table(found.errors) == [
        list(COLUMNS),
        ["5", "1", "4", "b", "PARAM_ILLEGAL", "$: bad"],
        ["6", "1", "5", "", "PARAM_ILLEGAL", "$: bad"],
        ["7", "1", "6", "d", "PARAM_ILLEGAL", "$: bad"],
    ]
    assert stat.S_IMODE((tmp_path / "big.failed.csv").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.csv.gz", "big.errors.csv", "big.failed.csv"]


def test_rejected_lines_of_json_come_back_with_why_as_tidings_send_does_it(tmp_path: Path) -> None:
    lines = ['{"requestId":"a"}', "", '{"requestId":"b","n":12345678901234567890123,"refusal":1}', "{", "[]"]
    file = written(tmp_path / "big.ndjson", "\n".join(lines))

    (found,) = joined(lint({1: 4}), [error(1, 3, "b"), error(1, 4), error(1, 5)], cut_file(file))

    assert found.failed == tmp_path / "big.failed.ndjson"
    assert [json.loads(line) for line in found.failed.read_bytes().splitlines()] == [
        {"requestId": "b", "n": 12345678901234567890123, "refusal": refusal(3)},
        {"text": "{", "refusal": refusal(4)},
        {"text": "[]", "refusal": refusal(5)},
    ]
    assert [row[0] for row in table(found.errors)[1:]] == ["3", "4", "5"]


def refusal(line: int) -> dict[str, object]:
    return {"line": line, "resultCode": "PARAM_ILLEGAL", "resultMessage": "$: bad"}


@pytest.mark.parametrize("more", [0, 1])
def test_R15_a_line_is_given_back_up_to_the_largest_a_send_may_be(tmp_path: Path, more: int) -> None:
    empty = len('{"requestId":"a","p":""}')
    line = '{"requestId":"a","p":"' + "x" * (LARGEST_SEND - empty - 1 + more) + '"}'
    file = written(tmp_path / "big.jsonl", line + "\n")

    (found,) = joined(lint({1: 1}), [error(1, 1)], cut_file(file))

    assert found.failed is not None
    # No room for the reason: with it, a corrected line would be refused for its size.
    assert found.failed.read_text() == line + "\n"
    assert len(table(found.errors)) == 2


def test_of_a_line_that_is_no_send_for_its_size_there_is_the_reason_alone(tmp_path: Path) -> None:
    file = written(tmp_path / "big.jsonl", "x" * (LARGEST_SEND + 10) + "\n{}\n")

    (found,) = joined(lint({1: 2}), [error(1, 1)], cut_file(file))

    assert found.failed is not None
    assert json.loads(found.failed.read_bytes()) == {"refusal": refusal(1)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    cells=st.lists(st.text(st.sampled_from('ab"\n\r,é'), max_size=6), min_size=1, max_size=12),
    form=st.sampled_from(["csv", "jsonl"]),
    most=st.integers(1, 5),
    data=st.data(),
)
def test_whatever_is_written_and_wherever_it_is_cut_the_rejected_rows_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: list[str], form: str, most: int, data: st.DataObject
) -> None:
    monkeypatch.setattr(batch_files, "_ROWS", most)
    for path in tmp_path.iterdir():
        path.unlink()
    quoted = [cell.replace('"', '""') for cell in cells]
    rows = (
        [f'r{number},t,"{cell}"\n' for number, cell in enumerate(quoted)]
        if form == "csv"
        else [json.dumps({"requestId": f"r{number}", "cell": cell}) + "\n" for number, cell in enumerate(cells)]
    )
    blanks = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    content = (HEAD if form == "csv" else "") + "".join(
        row + "\n" * blank for row, blank in zip(rows, blanks, strict=True)
    )
    file = written(tmp_path / f"big.{form}", content)
    places, uploaded = uploaded_as(file, 7)
    chosen = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True, min_size=1).map(sorted))

    (found,) = joined(lint(uploaded), [error(*places[index], f"r{index}") for index in chosen], cut_file(file, 7))

    assert found.failed is not None
    if form == "csv":
        assert found.failed.read_bytes().decode() == HEAD + "".join(rows[index] for index in chosen)
    else:
        given_back = [json.loads(line) for line in found.failed.read_text().splitlines()]
        assert [one["cell"] for one in given_back] == [cells[index] for index in chosen]
    begins = [content[: content.index(rows[index])].count("\n") + 1 for index in chosen]
    assert [int(row[0]) for row in table(found.errors)[1:]] == begins


def uploaded_as(file: Path, first: int) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """Return part and row of each row as the server counts them, and how many rows each part has."""
    form = format_of(file)
    assert form is not None
    with opened(file) as stream:
        parts = dict(enumerate(parts_of(form, stream), first))
    rows = {number: list(read_rows(form, [part.content])) for number, part in parts.items()}
    return [(number, row.number) for number, found in rows.items() for row in found], {
        number: len(found) for number, found in rows.items()
    }


def test_files_that_are_one_part_each_are_joined_in_the_order_of_parts(tmp_path: Path) -> None:
    second, first = (
        written(tmp_path / "b.csv", csv_rows("b1", "b2")),
        written(tmp_path / "a.jsonl", '{"requestId":"a"}'),
    )

    found = joined(lint({3: 1, 9: 2}), [error(3, 1, "a"), error(9, 3, "b2")], one_part(second, 9), one_part(first, 3))

    assert [(one.file, one.rejected) for one in found] == [(first, 1), (second, 1)]
    assert table(found[1].failed)[1:] == [["b2", SECRET, "Ann"]]
    assert [row[:4] for row in table(found[1].errors)[1:]] == [["3", "9", "3", "b2"]]


def test_what_other_files_are_is_left_alone_and_a_file_without_errors_has_none(tmp_path: Path) -> None:
    file = written(tmp_path / "big.csv", csv_rows("a"))
    joining = Joining([cut_file(file, 2)], lint({1: 1, 2: 1, 3: 1}))

    joining.begin()
    joining.take([error(1, 2, "x"), error(3, 2, "y")])

    assert joining.finish() == (Joined(file, 0, None, None),)
    assert joining.elsewhere == 2
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("c,", "q,"), "row 4 of part 1 is not the one that was rejected"),
        (lambda text: text.replace("a,a-token,Ann\n", ""), "row 4 of part 1 is not the one"),
        (lambda text: text + f"d,{SECRET},Ann\n", "4 rows would be part 1, which was uploaded with 3"),
        (lambda text: text.replace(",Ann\nc", ',"Ann\nc'), "part 1, row 3: "),
        (lambda text: text.replace("requestId", "id"), "row 4 of part 1 is not the one"),
        (lambda _: HEAD + f"a,{SECRET},Ann\n", "row 4 of part 1 is not the one"),
    ],
    ids=["another row", "a row less", "a row more", "an open quote", "another head", "cut off"],
)
def test_a_file_that_is_not_what_was_uploaded_is_refused_and_nothing_is_written(
    tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    file = written(tmp_path / "big.csv", change(csv_rows("a", "b", "c")))

    text = refused(lint({1: 3}), [error(1, 4, "c")], cut_file(file))

    assert text.startswith(f"{file}: ")
    assert told in text
    assert text.endswith("; give the file as it was uploaded, and the number of its first part")


def test_parts_that_the_batch_has_not_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "big.csv", csv_rows("a"))

    assert "would be part 2, which the batch has not" in refused(lint({1: 1}), [], cut_file(file, 2))
    assert "part 1 was not taken whole; upload it again" in refused(lint({1: 1}, done=False), [], cut_file(file))
    with pytest.raises(JoinError, match=r"b\.csv: would be part 1, as another file is"):
        joined(lint({1: 1}), [], one_part(file, 1), one_part(written(tmp_path / "b.csv", csv_rows("b")), 1))


def test_a_file_that_can_not_be_read_is_told_of(tmp_path: Path) -> None:
    whole = gzip.compress(csv_rows(*(f"r{number}" for number in range(9_000))).encode())
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole[:-9])
    harmed = tmp_path / "harmed.csv.gz"
    harmed.write_bytes(whole[:200] + b"\xff" * 20 + whole[220:])

    for file in (cut, harmed):
        assert "give the file as it was uploaded" in refused(lint({1: 9_000}), [error(1, 2, "r0")], cut_file(file))
    assert "No such file" in refused(lint({1: 1}), [], cut_file(tmp_path / "none.csv"))
    assert "must end with .jsonl" in refused(lint({1: 1}), [], cut_file(written(tmp_path / "big.txt", "")))


def test_corrections_are_not_overwritten_and_the_same_join_again_is_none(tmp_path: Path) -> None:
    file = written(tmp_path / "big.csv", csv_rows("a", "b"))
    errors = [error(1, 3, "b")]

    first, again = (joined(lint({1: 2}), errors, cut_file(file)) for _ in range(2))
    (tmp_path / "big.failed.csv").write_text("corrected")

    assert again == first
    assert "big.failed.csv: is there with something else in it" in refused(lint({1: 2}), errors, cut_file(file))
    assert (tmp_path / "big.failed.csv").read_text() == "corrected"
    (tmp_path / "big.failed.csv").unlink()
    assert joined(lint({1: 2}), errors, cut_file(file)) == first


def test_who_stops_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    file = written(tmp_path / "big.csv", csv_rows("a", "b"))

    with closing(Joining([cut_file(file)], lint({1: 2}))) as joining:
        joining.begin()
        joining.take([error(1, 2, "a")])
        assert len(list(tmp_path.iterdir())) == 2

    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("first", "second"), [("june.csv", "june.csv.gz"), ("june.csv", "june.jsonl")])
def test_files_whose_results_would_have_one_name_are_not_joined_together(
    tmp_path: Path, first: str, second: str
) -> None:
    files = [written(tmp_path / first, csv_rows("a")), tmp_path / second]
    written(files[1], csv_rows("b") if "csv" in second else '{"requestId": "b"}\n')

    with pytest.raises(JoinError, match=r"june\.(failed|errors)\.csv: would be written about two of the files"):
        joined(
            lint({1: 1, 2: 1}), [error(1, 2, "a"), error(2, 2, "b")], *(one_part(f, n) for n, f in enumerate(files, 1))
        )

    assert sorted(tmp_path.iterdir()) == sorted(files)
