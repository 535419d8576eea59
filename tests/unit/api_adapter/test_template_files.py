import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter import samples
from api_adapter.template_files import TemplateFileError, parse_templates, read_templates
from worker.contract.messages import Channel
from worker.contract.send_request import ContentTemplate
from worker.contract.templates import BodyFormat, LinkSource, TemplateVersion
from worker.rendering import compile_template

SAMPLES = sorted((Path(samples.__file__).parent / "templates").glob("*.yaml"))

GOOD = """\
code: PAY
channels: [PUSH, INBOX]
default_language: en-US
contents:
  en-US:
    PUSH: {title: "Hello, ${who}", body: B}
    INBOX:
      title: T
      body: |
        Hello
        you paid ${amount}
"""


def faults(text: str) -> list[str]:
    return [f"{fault.line}: {fault.reason}" for fault in parse_templates(text)[1]]


def changed(old: str, new: str) -> list[str]:
    assert old in GOOD
    return faults(GOOD.replace(old, new, 1))


def test_R60_a_template_is_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "pay.yaml"
    file.write_text(f"{GOOD}body_format: html\nlinks: parameters\napp_name: 小吃\n", encoding="utf-8-sig")

    [found] = read_templates(file)

    assert (found.code, found.channels, found.default_language) == ("PAY", (Channel.PUSH, Channel.INBOX), "en-US")
    assert (found.body_format, found.links, found.app_name) == (BodyFormat.HTML, LinkSource.PARAMETERS, "小吃")
    assert found.contents["en-US"][Channel.PUSH].title == "Hello, ${who}"
    assert found.contents["en-US"][Channel.INBOX].body == "Hello\nyou paid ${amount}\n"


def test_several_documents_are_several_templates() -> None:
    second = GOOD.replace("PAY", "SHIP")

    definitions, found = parse_templates(f"---\n{GOOD}---\n{second}---\n")

    assert ([definition.code for definition in definitions], found) == (["PAY", "SHIP"], [])


def test_every_scalar_is_text_as_written() -> None:
    text = GOOD.replace("en-US", "no").replace("title: T", "title: 007").replace("code: PAY", "code: 1.50")

    [definition], _ = parse_templates(text)

    assert (definition.code, definition.default_language) == ("1.50", "no")
    assert definition.contents["no"][Channel.INBOX].title == "007"


def test_the_same_texts_may_be_shared_by_an_alias() -> None:
    text = "code: A\nchannels: [PUSH, INBOX]\ndefault_language: en\ncontents:\n  en:\n"
    shared = "    PUSH: &text {title: T, body: B}\n    INBOX: *text\n"

    [definition], _ = parse_templates(text + shared)

    assert definition.contents["en"][Channel.INBOX] == definition.contents["en"][Channel.PUSH]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[PUSH, INBOX]", "[PUSH, SMS, INBOX]", "2: channels.1: unknown channel, must be 'PUSH' or 'INBOX'"),
        ("[PUSH, INBOX]", "[PUSH, INBOX, PUSH]", "2: channels: names a channel twice"),
        ("[PUSH, INBOX]", "PUSH", "2: channels: must be a list"),
        ("[PUSH, INBOX]", "[]", "2: channels: names no channel"),
        ("en-US\n", "ja\n", "3: default_language: contents lack this language"),
        ("en-US\n", "e!\n", "3: default_language: is not a BCP 47 language tag"),
        ("default_language: en-US\n", "", "1: default_language: is required"),
        ("  en-US:", "  e!:", "5: contents.e!: is not a BCP 47 language tag"),
        ("    INBOX:", "    SMS:", "7: contents.en-US.SMS: unknown channel, must be 'PUSH' or 'INBOX'"),
        ("    INBOX:", "    SMS:", "5: contents.en-US: lacks the content of INBOX"),
        ("[PUSH, INBOX]", "[PUSH]", "7: contents.en-US.INBOX: not among the template's channels"),
        ("      title: T\n", "", "7: contents.en-US.INBOX.title: is required"),
        ("title: T", "title:", "8: contents.en-US.INBOX.title: must be a text"),
        ("title: T", "title: ''", "8: contents.en-US.INBOX.title: must not be empty"),
        ("title: T", "title: [T]", "8: contents.en-US.INBOX.title: must be a text"),
        ("title: T", 'title: "\\ud800"', "8: contents.en-US.INBOX.title: must be valid Unicode"),
        ("title: T", "titel: T", "8: contents.en-US.INBOX.titel: unknown field, did you mean title?"),
        ("title: T", "title: T\n      colour: red", "9: contents.en-US.INBOX.colour: unknown field"),
        ("title: T", "title: T\n      title: U", "9: title: is given twice, first in line 8"),
        ("    PUSH: {", "    PUSH: [", "6: not YAML: expected ',' or ']'"),
        ("contents:\n", "contents:\n  ja: hello\n", "5: contents.ja: must be a mapping"),
        ("code: PAY", "chanels: PAY", "1: chanels: unknown field, did you mean channels?"),
        ("code: PAY", "channels: PAY", "2: channels: is given twice, first in line 1"),
        ("code: PAY", "code: P Y", "1: code: must not contain @, #, ?, white space or control characters"),
        ("code: PAY", "code: P#1", "1: code: must not contain @, #, ?, white space or control characters"),
        ("code: PAY", f"code: {'P' * 65}", "1: code: must have at most 64 characters"),
        ("code: PAY", "code: PAY\nlinks: none", "2: links: must be 'request' or 'parameters'"),
        ("code: PAY", "code: PAY\n? [a]\n: b", "3: ?: unknown field"),
        ("${who}", "${who", '6: contents.en-US.PUSH.title: character 8: this "${" is never closed'),
        ("${amount}", "${amount", '11: contents.en-US.INBOX.body: character 16: this "${" is never closed'),
        ("B}", "B", "7: not YAML: expected ',' or '}', but got ':'"),
        ("B}", "*b}", "6: not YAML: found undefined alias"),
        ("T\n", "\x07\n", "8: not YAML: a control character"),
        ("code: PAY", "%YAML 9.9\n---\ncode: PAY", "1: not YAML: found incompatible YAML document"),
    ],
)
def test_a_fault_is_told_with_its_line(old: str, new: str, expected: str) -> None:
    found = changed(old, new)

    assert [fault for fault in found if fault.startswith(expected)], found


def test_R61_an_invalid_name_in_a_block_is_told_in_its_own_line() -> None:
    [fault] = changed("${amount}", "${the amount}")

    assert fault.startswith('11: contents.en-US.INBOX.body: character 16: the name in "${...}" must be')


def test_R61_a_fault_in_a_folded_text_is_told_where_the_text_begins() -> None:
    [fault] = faults(GOOD.replace("|", ">").replace("${amount}", "${amount"))

    assert fault.startswith("9: contents.en-US.INBOX.body: character 16")


def test_one_language_in_two_spellings_is_a_language_given_twice() -> None:
    twice = GOOD + "  en_us:\n    PUSH: {title: T, body: B}\n    INBOX: {title: T, body: B}\n"

    assert faults(twice) == ["12: contents.en_us: the same language as en-US"]


def test_a_language_that_lacks_a_channel_is_told_at_the_language_as_it_is_spelt() -> None:
    assert faults(GOOD + "  JA_jp:\n    PUSH: {title: T, body: B}\n") == [
        "12: contents.ja-JP: lacks the content of INBOX",
    ]


def test_a_template_given_twice_in_a_file_is_refused() -> None:
    assert faults(f"{GOOD}---\n{GOOD}") == ["13: code: the file has this template already, in line 1"]


def test_all_faults_of_a_file_are_told_together_by_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    first = GOOD.replace("PAY", "P Y").replace("${who}", "${who").replace("title: T", "titel: T")
    file.write_text(f"{first}---\n- 1\n---\n{GOOD}colour: red\n--- [\n", encoding="utf-8")

    with pytest.raises(TemplateFileError) as caught:
        read_templates(file)

    assert [fault.removeprefix(f"{file}:").split(": ")[:2] for fault in caught.value.faults] == [
        ["1", "code"],
        ["6", "contents.en-US.PUSH.title"],
        ["7", "contents.en-US.INBOX.title"],
        ["8", "contents.en-US.INBOX.titel"],
        ["13", "the document"],
        ["26", "colour"],
        ["28", "not YAML"],
    ]
    assert str(caught.value).splitlines() == list(caught.value.faults)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n", "~\n"])
def test_a_file_without_a_template_is_refused(text: str) -> None:
    assert faults(text) == ["1: holds no template"]


@pytest.mark.parametrize("text", ["just text", "- a\n- b"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert faults(text) == ["1: the document: must be a mapping"]


def test_a_document_that_holds_itself_is_refused() -> None:
    assert "4: is nested too deeply" in faults("code: A\nchannels: [PUSH]\ndefault_language: en\ncontents: &c {en: *c}")


def test_a_document_nested_without_end_is_refused() -> None:
    assert faults("[" * 1000) == ["1: not YAML: nested too deeply"]


def test_a_tag_never_builds_an_object() -> None:
    assert faults(GOOD.replace("code: PAY", "code: !!python/object/apply:os.getcwd []")) == [
        "1: code: must be a text",
    ]


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"code: A\napp_name: Caf\xe9\n")

    with pytest.raises(TemplateFileError, match=f"^{re.escape(str(file))}:2: is not UTF-8$"):
        read_templates(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateFileError, match=r"none\.yaml: can't be read: No such file"):
        read_templates(tmp_path / "none.yaml")


@given(st.text(max_size=60))
def test_no_text_makes_reading_fail_in_another_way(text: str) -> None:
    definitions, found = parse_templates(text)

    assert not definitions
    assert found
    assert all(1 <= fault.line <= len(text.splitlines()) + 1 for fault in found)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_the_samples_are_valid_in_three_languages_and_render(sample: Path) -> None:
    for definition in read_templates(sample):
        compiled = compile_template(TemplateVersion(version=1, **definition.model_dump()))
        values = {name: "¥1,250 & 🍜" for language in compiled.languages for name in compiled.required(language)}
        entries = [ContentTemplate(language=language, parameters=values) for language in compiled.languages]

        assert len(compiled.languages) >= 3
        assert compiled.superfluous(entries) == []
        for language in compiled.languages:
            for channel in definition.channels:
                assert "1,250" in compiled.render(channel, language, values, "/pages/1")


def test_the_samples_show_every_kind_of_template() -> None:
    found = [definition for sample in SAMPLES for definition in read_templates(sample)]

    assert {definition.channels for definition in found} == {("PUSH", "INBOX"), ("PUSH",), ("INBOX",)}
    assert {definition.body_format for definition in found} == set(BodyFormat)
    assert {definition.links for definition in found} == set(LinkSource)


@pytest.mark.parametrize("length", [63, 64, 65])
def test_R8_a_language_has_at_most_64_characters(length: int) -> None:
    tag = "-".join(["en-x", *(["aaaaaaaa"] * 6), "aaaaaa"])[:length]

    found = faults(GOOD.replace("en-US", tag))

    too_long = [reason for reason in found if "must have at most 64 characters" in reason]
    assert len(too_long) == len(found)
    assert bool(found) == (length > 64)
