"""Batch jobs over real HTTP, by both faces."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from api_adapter import batch_files
from api_adapter.batch_uploading import MAX_PART_BODY
from api_adapter.client import ClientError, JoinError, PartFormat, RefusedError
from api_adapter.client.batch_jobs import PART_BYTES, PART_ROWS, json_line_parts
from tests.client_faces import Face
from tests.front_desk import APP, TOKEN
from tests.harmed_api import Harm, HarmedApi
from tests.samples import send_body
from worker.contract.batch_jobs import MAX_PARTS, MAX_ROWS

COMMON = {"templateCode": "PAYMENT_NOTICE", "redirectUrl": "/pages/1"}


def rows(*request_ids: str) -> Iterator[dict[str, object]]:
    for request_id in request_ids:
        templates = [{"templateParameters": {"who": "小明"}}]
        yield {"requestId": request_id, "accessToken": TOKEN, "templates": templates}


def test_callbacks_of_a_batch_are_a_part_of_its_definition(face: Face) -> None:
    batch = face.batch(APP, "june")
    batch.create(**COMMON, callbackOutcomes=["F"], progressCallbacks=False)

    with pytest.raises(RefusedError, match="REPEAT_REQ_INCONSISTENT"):
        batch.create(**COMMON)
    assert batch.create(**COMMON, callbackOutcomes=["F"], progressCallbacks=False).state == "HELD"


def test_a_batch_is_created_uploaded_run_and_followed(api: HarmedApi, face: Face) -> None:
    batch = face.batch(APP, "june-1/é")
    created = batch.create(**COMMON)
    assert (created.state, created.received) == ("HELD", 0)

    (part,) = batch.upload_all([*rows("a", "b"), {"requestId": "bad"}])

    assert (part.part, part.rows, part.accepted, part.rejected) == (1, 3, 2, 1)
    assert (batch.lint().ready, batch.lint().rejected) == (True, 1)
    assert [(one.part, one.row, one.request_id, one.result_code) for one in batch.errors()] == [
        (1, 3, "bad", "PARAM_ILLEGAL")
    ]
    assert batch.run(parts=1, rows=3).state == "RUNNING"
    assert [(one.row, one.request_id, one.status, one.reason) for one in batch.results()] == [
        (1, "a", "U", "OPEN"),
        (2, "b", "U", "OPEN"),
    ]
    assert list(batch.results("F")) == []
    assert batch.pause().state == "PAUSED"
    assert batch.resume().state == "RUNNING"
    assert (batch.status().open, batch.status().accepted) == (2, 2)
    assert batch.cancel().state == "CANCELLED"
    assert len(api.desk.ledger.records) == 2


@pytest.mark.parametrize("harm", [Harm.ANSWER_LOST, Harm.CALL_LOST, Harm.BUSY])
def test_a_part_without_an_answer_is_uploaded_again_as_it_was(api: HarmedApi, face: Face, harm: Harm) -> None:
    batch = face.batch(APP, "june")
    batch.create(**COMMON)
    api.harms.append(harm)

    (part,) = batch.upload_all(rows("a"))

    assert (part.accepted, part.duplicate) == (1, 0)
    (first, again) = api.seen[1:]
    assert first == again
    assert batch.status().parts == 1


def test_csv_may_be_uploaded_too(face: Face) -> None:
    batch = face.batch(APP, "june")
    batch.create(**COMMON)

    part = batch.upload(7, f"requestId,accessToken,p.who\na,{TOKEN},Ann\n".encode(), PartFormat.CSV)

    assert (part.part, part.accepted) == (7, 1)


def test_pages_of_results_are_followed_to_the_last(face: Face) -> None:
    batch = face.batch(APP, "june")
    batch.create(**COMMON)
    ids = [f"r{number:04}" for number in range(1_001)]
    list(batch.upload_all([*rows(*ids), *({"requestId": "bad"} for _ in range(150))]))

    assert [one.request_id for one in batch.results()] == ids
    assert len(list(batch.errors())) == 150


def test_what_a_batch_lacks_is_an_error_that_says_so(face: Face) -> None:
    batch = face.batch(APP, "june")
    batch.create(**COMMON)

    with pytest.raises(RefusedError):
        batch.run(parts=2)
    with pytest.raises(RefusedError, match="ACCESS_DENIED"):
        face.batch("other", "june").status()


def test_the_same_sends_are_cut_into_the_same_parts_within_the_limits() -> None:
    sends = [send_body(requestId=f"r{number}", padding="x" * 3_000) for number in range(12_000)]

    found = list(json_line_parts(sends))

    assert found == list(json_line_parts(sends))
    assert b"".join(found).splitlines() == sends
    assert all(len(part) <= PART_BYTES for part in found)
    assert [part.count(b"\n") for part in json_line_parts([b"{}"] * (PART_ROWS + 1))] == [PART_ROWS, 1]
    assert list(json_line_parts([b'{\r\n"a":\n1}'])) == [b'{  "a": 1}\n']
    assert PART_ROWS * MAX_PARTS >= MAX_ROWS


def test_a_part_that_can_not_be_compressed_is_not_too_large() -> None:
    noise = bytes(range(256)) * (PART_BYTES // 256)

    assert len(gzip.compress(noise, compresslevel=0)) <= MAX_PART_BODY


@pytest.mark.parametrize("name", ["big.csv", "big.csv.gz", "big.jsonl", "big.ndjson.gz"])
def test_a_file_with_errors_is_joined_corrected_and_uploaded_until_all_is_accepted(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(batch_files, "_ROWS", 4)
    tokens = {f"r{number}": "bad" if number in {3, 8} else TOKEN for number in range(10)}
    file = filed(tmp_path / name, tokens)
    batch = face.batch(APP, "june")
    batch.create(**COMMON, templates=[{"templateParameters": {"who": "小明"}}])

    parts = list(batch.upload_file(file))
    joined = batch.join_file(file)
    assert joined.rejected == 2
    joined.failed.write_bytes(joined.failed.read_bytes().replace(b"bad", TOKEN.encode()))
    corrected = list(batch.upload_file(joined.failed, batch.lint().next_part))

    assert [(part.part, part.accepted, part.rejected) for part in parts] == [(1, 3, 1), (2, 4, 0), (3, 1, 1)]
    assert [(part.part, part.accepted, part.rejected) for part in corrected] == [(4, 2, 0)]
    with joined.errors.open(newline="") as errors:
        head = int("csv" in name)
        found = [(int(row["line"]) - head, row["part"], row["requestId"]) for row in csv.DictReader(errors)]
    assert found == [(4, "1", "r3"), (9, "3", "r8")]
    assert batch.run(rows=12).state == "RUNNING"
    assert {one.request_id for one in batch.results()} == tokens.keys()


def filed(file: Path, tokens: Mapping[str, str]) -> Path:
    """Write a file of rows with these tokens."""
    if "csv" in file.name:
        rows = ["requestId,accessToken", *(f"{request_id},{token}" for request_id, token in tokens.items())]
    else:
        rows = [f'{{"requestId":"{request_id}","accessToken":"{token}"}}' for request_id, token in tokens.items()]
    content = "\n".join(rows).encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file


def test_parts_of_ones_own_are_joined_part_by_part(face: Face, tmp_path: Path) -> None:
    files = {7: filed(tmp_path / "a.csv", {"a": TOKEN, "b": "bad"}), 2: filed(tmp_path / "b.jsonl", {"c": "bad"})}
    batch = face.batch(APP, "june")
    batch.create(**COMMON, templates=[{"templateParameters": {"who": "小明"}}])
    batch.upload(7, files[7].read_bytes(), PartFormat.CSV)
    batch.upload(2, files[2].read_bytes())

    found = batch.join_parts(files)

    assert [(one.file, one.rejected) for one in found] == [(files[2], 1), (files[7], 1)]
    assert found[1].failed.read_text() == "requestId,accessToken\nb,bad\n"


@pytest.mark.parametrize("harm", [Harm.BUSY_FOR_LONG, Harm.TAMPERED])
def test_a_join_whose_errors_do_not_come_leaves_nothing_behind(
    api: HarmedApi, face: Face, tmp_path: Path, harm: Harm
) -> None:
    file = filed(tmp_path / "big.csv", {"a": "bad"})
    batch = face.batch(APP, "june")
    batch.create(**COMMON)
    list(batch.upload_file(file))
    api.harms.extend([None, None, harm])  # lint, the first page, the next one

    with pytest.raises(ClientError):
        batch.join_file(file)

    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_can_not_be_read_is_the_error_of_a_join(face: Face, tmp_path: Path) -> None:
    batch = face.batch(APP, "june")
    batch.create(**COMMON)

    with pytest.raises(JoinError, match=r"none\.csv: No such file"):
        list(batch.upload_file(tmp_path / "none.csv"))
    with pytest.raises(JoinError, match=r"none\.csv: No such file"):
        batch.join_file(tmp_path / "none.csv")
