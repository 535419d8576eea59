"""`tidings template` put --draft, publish, rollback, history, diff and lint, against a real Valkey."""

import json
from pathlib import Path

import pytest

from tests.integration.test_template_command import SAMPLES, ledger, refused, template

__all__ = ["ledger"]


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """Give the sample PROMOTION with another English title, which takes one parameter more."""
    path = tmp_path / "promotion.yaml"
    text = (SAMPLES / "promotion.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("${percent}% off until", "${who}: ${percent}% off until"), "utf-8")
    return path


def live() -> int:
    [listed] = json.loads(template("list", "--json").stdout)
    return int(listed["live"] or 0)


def test_a_draft_is_listed_compared_published_and_rolled_back(edited: Path) -> None:
    template("put", SAMPLES / "promotion.yaml")

    drafted = template("put", "--draft", edited)
    assert (drafted.stdout, live()) == ("PROMOTION: version 2 is a draft\n", 1)
    again = template("put", "--draft", edited)
    assert again.stdout == drafted.stdout

    published = template("publish", "PROMOTION", "2", "--by", "ann")
    assert (published.stdout, live()) == ("PROMOTION: version 2 is live, version 1 was\n", 2)
    assert "PROMOTION: warning: en-US: a send without who is refused\n" in published.stderr

    assert template("publish", "PROMOTION", "2").stdout == "PROMOTION: version 2 is live already\n"
    assert template("rollback", "PROMOTION", "--by", "bob").stdout == "PROMOTION: version 1 is live, version 2 was\n"
    assert live() == 1
    assert refused("rollback", "PROMOTION").startswith("no version of PROMOTION was live before")


def test_a_template_with_drafts_alone_is_listed_as_such() -> None:
    template("put", "--draft", SAMPLES / "promotion.yaml")

    assert live() == 0
    assert "1 (draft)" in template("list").stdout
    assert refused("show", "PROMOTION").startswith("there is no template PROMOTION that is live")
    assert "% off until" in template("show", "PROMOTION", "--version", "1").stdout


def test_the_history_tells_what_when_and_who(edited: Path) -> None:
    template("put", SAMPLES / "promotion.yaml", "--by", "ann")
    template("put", edited, "--by", "bob")
    template("rollback", "PROMOTION")

    rows = json.loads(template("history", "PROMOTION", "--json").stdout)
    shown = template("history", "PROMOTION").stdout

    assert [(row["act"], row["version"], row["former"]) for row in rows] == [
        ("ROLLBACK", 1, 2),
        ("PUBLISH", 2, 1),
        ("PUT", 2, 1),
        ("PUBLISH", 1, 0),
        ("PUT", 1, 0),
    ]
    assert [row["by"] for row in rows[1:]] == ["bob", "bob", "ann", "ann"]
    assert "@" in rows[0]["by"]
    assert all(text in shown for text in ("rolled back from 2 to 1", "published version 2", "ann", "Z"))
    assert refused("history", "NONE").startswith("there is no template NONE")


def test_a_diff_shows_texts_and_what_senders_will_notice(edited: Path) -> None:
    template("put", SAMPLES / "promotion.yaml")
    template("put", "--draft", edited)

    shown = template("diff", "PROMOTION").stdout
    backwards = json.loads(template("diff", "PROMOTION", "2", "1", "--json").stdout)

    assert "PROMOTION: version 1 and version 2" in shown
    assert "- ${percent}% off until ${until}" in shown
    assert "+ ${who}: ${percent}% off until ${until}" in shown
    assert "! en-US: a send without who is refused" in shown
    assert template("diff", "PROMOTION", "2").stdout == shown
    assert [change["part"] for change in backwards["changes"]] == ["contents.en-US.PUSH.title"]
    assert backwards["consequences"] == [{"text": "en-US: who is not used any more", "breaks": False}]
    assert "nothing differs" in template("diff", "PROMOTION", "1", "1").stdout


def test_a_put_tells_what_is_suspicious_and_puts_it_all_the_same(edited: Path) -> None:
    put = template("put", edited)

    assert put.stdout == "PROMOTION: version 1 is live\n"
    assert (
        "PROMOTION: warning: contents.zh-Hans.PUSH: lacks ${who}, which is shown in en-US\n"
        "PROMOTION: warning: contents.ja-JP.PUSH: lacks ${who}, which is shown in en-US\n"
    ) in put.stderr


def test_lint_tells_faults_and_remarks_of_files_by_line(edited: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        "code: A\nchannels: [PUSH]\ndefault_language: en\ncontents:\n  en:\n    PUSH: {title: '${', body: b}\n"
    )

    found = template("lint", edited, broken)

    lines = found.stdout.splitlines()
    assert found.exit_code == 1
    assert f"{edited}:11: warning: contents.zh-Hans.PUSH: lacks ${{who}}, which is shown in en-US" in lines
    assert any(line.startswith(f"{broken}:6: error: contents.en.PUSH.title: character 1") for line in lines)
    assert lines[-1] == "1 error, 3 warnings, 0 notes"


def test_lint_of_a_clean_file_or_of_notes_alone_is_exit_code_0() -> None:
    found = template("lint", SAMPLES / "payment_notice.yaml", "--json")

    assert found.exit_code == 0
    assert [(line["grade"], line["text"]) for line in json.loads(found.stdout)] == [
        ("note", "contents: ${time} occurs in INBOX alone"),
    ]


def test_lint_looks_at_live_templates_too() -> None:
    template("put", SAMPLES / "promotion.yaml", SAMPLES / "statement.yaml")

    one = template("lint", "PROMOTION", "--language", "ko")
    each = template("lint", "--longest", "100")

    assert one.stdout.splitlines() == [
        "PROMOTION version 1: warning: contents: has no text in ko; its users get another language",
        "0 errors, 1 warning, 0 notes",
    ]
    assert (
        "PROMOTION version 1: warning: contents.en-US.PUSH: with values of 100 characters the title has" in each.stdout
    )
    assert (one.exit_code, each.exit_code) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["lint", "NONE"], "there is no template NONE that is live"),
        (["lint", "none.yaml"], "none.yaml: there is no such file"),
        (["lint", "--language", "e!"], "--language: give a BCP 47 tag"),
        (["publish", "NONE", "1"], "NONE has no version 1: see `tidings template history NONE`"),
        (["rollback", "NONE"], "no version of NONE was live before"),
        (["diff", "NONE"], "there is no template NONE: see `tidings template list`"),
    ],
)
def test_what_is_not_there_is_one_clear_line_and_code_2(arguments: list[str], reason: str) -> None:
    assert refused(*arguments).startswith(reason)
