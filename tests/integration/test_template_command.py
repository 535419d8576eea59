import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api_adapter import samples
from api_adapter.cli.templates import app

SAMPLES = Path(samples.__file__).parent / "templates"
PAYMENT = ("--param", "who=[b]小明[/b]", "--param", "amount=$12.50", "--param", "shop=Bar", "--param", "time=a=b")


@pytest.fixture(autouse=True)
def ledger(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_REDIS_URL", redis_url)
    monkeypatch.setenv("TIDINGS_TOKEN_SECRET", "only for this test")


def template(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "100"})


def refused(*arguments: str | Path) -> str:
    result = template(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("tidings: ")
    return result.stderr.removeprefix("tidings: ").strip()


def test_put_makes_the_templates_of_all_files_live() -> None:
    first = template("put", SAMPLES / "payment_notice.yaml", SAMPLES / "promotion.yaml")
    again = template("put", SAMPLES / "promotion.yaml")

    assert first.stdout.splitlines() == ["PAYMENT_NOTICE: version 1 is live", "PROMOTION: version 1 is live"]
    assert again.stdout.splitlines() == ["PROMOTION: version 1 is live"]


def test_put_tells_the_faults_of_all_files_and_puts_none(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text('code: A\ncolour: red\nbody: "${"\n')

    lines = refused("put", SAMPLES / "promotion.yaml", bad, tmp_path / "none.yaml").splitlines()

    assert f"{bad}:2: colour: unknown field" in lines
    assert lines[-1].startswith(f"{tmp_path / 'none.yaml'}: can't be read")
    assert json.loads(template("list", "--json").stdout) == []


def test_list_shows_code_version_and_languages() -> None:
    template("put", SAMPLES / "promotion.yaml")

    shown = template("list").stdout
    [as_json] = json.loads(template("list", "--json").stdout)

    assert all(part in shown for part in ("PROMOTION", "1", "PUSH", "en-US, ja-JP, zh-Hans", "percent, until"))
    assert (as_json["code"], as_json["version"], as_json["live"], as_json["newest"]) == ("PROMOTION", 1, 1, 1)
    assert as_json["required"]["en-US"] == ["percent", "until"]


def test_show_has_texts_and_required_parameters_by_language() -> None:
    template("put", SAMPLES / "statement.yaml")

    shown = template("show", "STATEMENT").stdout
    as_json = json.loads(template("show", "STATEMENT", "--json").stdout)

    assert "Your statement for ${month}" in shown
    assert shown.count("parameters: month, spent, visits, who") == 3
    assert max(map(len, shown.splitlines())) <= 120
    assert as_json["required"]["ja-JP"] == ["month", "spent", "visits", "who"]
    assert as_json["requiredByChannel"]["ja-JP"] == {"INBOX": ["month", "spent", "visits", "who"]}


def test_show_finds_an_old_version(tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text((SAMPLES / "promotion.yaml").read_text(encoding="utf-8").replace("% off", "% less"), "utf-8")
    template("put", SAMPLES / "promotion.yaml")
    template("put", new)

    assert "% less until" in template("show", "PROMOTION").stdout
    assert "% off until" in template("show", "PROMOTION", "--version", "1").stdout


def test_preview_shows_each_channel_in_the_closest_language() -> None:
    template("put", SAMPLES / "payment_notice.yaml")

    shown = template("preview", "PAYMENT_NOTICE", "--language", "ja", "--link", "/pages/bill/1", *PAYMENT).stdout

    assert "PUSH in ja-JP" in shown
    assert "INBOX in ja-JP · Noodle Bar" in shown
    assert "[b]小明[/b] 様、Bar で $12.50" in shown
    assert shown.count("→ /pages/bill/1") == 2


def test_preview_as_json_is_the_message_content() -> None:
    template("put", SAMPLES / "payment_notice.yaml")

    found = json.loads(template("preview", "PAYMENT_NOTICE", "--json", *PAYMENT).stdout)

    assert found["channels"]["PUSH"] == {
        "title": "Payment of $12.50 received",
        "content": "Thank you, [b]小明[/b]. You paid $12.50 at Bar.",
        "linkUrl": "/pages/index",
    }
    assert "Time: a=b" in found["channels"]["INBOX"]["body"]["content"]


def test_preview_writes_a_page_of_all_languages(tmp_path: Path) -> None:
    template("put", SAMPLES / "payment_notice.yaml")
    page = tmp_path / "page.html"

    result = template("preview", "PAYMENT_NOTICE", "--html", page, "--param", "who=<b>Mia</b>")

    assert (result.exit_code, result.stdout) == (0, f"wrote {page}: open it in a browser\n")
    assert result.stderr == "note: shown by their names: amount, shop, time\n"
    text = page.read_text("utf-8")
    assert all(part in text for part in ("Hello, &lt;b&gt;Mia&lt;/b&gt;", "[amount] のお支払い", "zh-Hans"))
    assert refused("preview", "PAYMENT_NOTICE", "--html", tmp_path).startswith(f"--html: {tmp_path} can't be written")


def test_preview_notes_what_the_template_does_not_use() -> None:
    template("put", SAMPLES / "payment_notice.yaml")

    result = template("preview", "PAYMENT_NOTICE", "--param", "colour=red", *PAYMENT)

    assert result.exit_code == 0
    assert result.stderr == "note: $.templates[0].templateParameters.colour: is not used by the template\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["show", "NONE"], "there is no template NONE that is live: see `tidings template list`"),
        (["show", "STATEMENT", "--version", "2"], "there is no template STATEMENT version 2: see"),
        (["preview", "STATEMENT", "--language", "e!"], "--language: give a BCP 47 tag, such as en-US"),
        (["preview", "STATEMENT", "--param", "who"], "--param who: write it as NAME=VALUE"),
        (
            ["preview", "STATEMENT", "--language", "fr", "--param", "who=x", "--param", "month=y"],
            "in en-US the template needs more parameters: add --param spent=VALUE --param visits=VALUE",
        ),
    ],
)
def test_what_can_not_be_done_is_one_clear_line_and_code_2(arguments: list[str], reason: str) -> None:
    template("put", SAMPLES / "statement.yaml")

    told = refused(*arguments)

    assert told.startswith(reason)
    assert len(told.splitlines()) == 1


def test_a_preview_over_a_limit_tells_the_length_and_not_the_text() -> None:
    template("put", SAMPLES / "promotion.yaml")

    told = refused("preview", "PROMOTION", "--param", "until=x", "--param", f"percent={'secret' * 30}")

    assert told.startswith("PUSH title has 193 characters, at most 128 are allowed")
    assert "secret" not in told


def test_without_redis_it_says_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_REDIS_URL", "redis://127.0.0.1:1/0")

    assert "check TIDINGS_REDIS_URL" in refused("list")
