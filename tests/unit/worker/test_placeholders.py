import re
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.placeholders import PlaceholderError, compile_text

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PARTS = st.one_of(TEXTS, st.sampled_from(["$", "$$", "%", "%s", "{", "}", "$12.50"]), NAMES.map("${{{}}}".format))


def naive(text: str, parameters: dict[str, str]) -> str:
    """Read a text character by character: slow, and plainly the rule."""
    out, rest = "", text
    while rest:
        if rest.startswith("$$"):
            out, rest = out + "$", rest[2:]
        elif rest.startswith("${"):
            name, rest = rest[2:].split("}", 1)
            out += parameters[name]
        else:
            out, rest = out + rest[0], rest[1:]
    return out


def is_valid(text: str) -> bool:
    return "${" not in re.sub(r"\$\$|\$\{[A-Za-z_]\w*\}", "", text, flags=re.ASCII)


def test_R61_a_name_is_replaced_by_its_parameter() -> None:
    assert compile_text("Hello, ${who}").fill({"who": "XiaoMing"}) == "Hello, XiaoMing"


@pytest.mark.parametrize("text", ["$12.50", "$USD", "5 $", "$ {who}", "a$b$c", "$who", "{who}", "100% of it", "$"])
def test_R61_a_lone_dollar_is_text(text: str) -> None:
    assert compile_text(text).fill({}) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$$", "$"), ("$$$", "$$"), ("$${who}", "${who}"), ("$$${who}", "$Li"), ("$$12 ${who}$$", "$12 Li$")],
)
def test_R61_two_dollars_are_one(text: str, expected: str) -> None:
    assert compile_text(text).fill({"who": "Li"}) == expected


@pytest.mark.parametrize("value", ["${who}", "$$", "${b}", "%s", "%(who)s", "{0}", "\\1", "${"])
@pytest.mark.parametrize("text", ["${who}", "<${who}> ${b}"])
def test_R61_a_value_is_never_rendered_again(text: str, value: str) -> None:
    filled = compile_text(text).fill({"who": value, "b": "B"})

    assert filled == ({"${who}": value}.get(text) or f"<{value}> B")


def test_R61_the_names_of_a_text_are_known() -> None:
    assert compile_text("${a} $b ${c_1} $${d} ${a}").names == {"a", "c_1"}


@pytest.mark.parametrize(
    ("text", "character"),
    [("${", 1), ("Hello ${who", 7), ("${who ${name}", 1), ("$$${", 3)],
)
def test_R61_an_unclosed_placeholder_is_refused_where_it_begins(text: str, character: int) -> None:
    with pytest.raises(PlaceholderError, match=rf"character {character}: .* never closed"):
        compile_text(text)


@pytest.mark.parametrize("name", ["", " ", "a b", "1st", "a-b", "a.b", "名", "é", " a", "a\n", "x" * 65])
def test_R61_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(PlaceholderError, match='character 3: the name in "') as caught:
        compile_text(f"> ${{{name}}}")

    assert [fault.position for fault in caught.value.faults] == [2]


def test_all_faults_of_a_text_are_told_together() -> None:
    with pytest.raises(PlaceholderError) as caught:
        compile_text("${a b} ${ok} ${")

    assert [fault.position for fault in caught.value.faults] == [0, 13]


def test_a_parameter_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="who"):
        compile_text("${when} ${who}").fill({"when": "now"})


def test_R63_only_values_are_escaped() -> None:
    text = compile_text("<b>${who}</b> & ${when}", escape)

    assert text.fill({"who": "<i>'\"&", "when": "now"}) == "<b>&lt;i&gt;&#x27;&quot;&amp;</b> & now"


@given(st.lists(PARTS, max_size=8).map("".join), st.data())
def test_R61_rendering_equals_a_naive_reading(text: str, data: st.DataObject) -> None:
    if not is_valid(text):
        with pytest.raises(PlaceholderError):
            compile_text(text)
        return
    compiled = compile_text(text)
    parameters = {name: data.draw(st.one_of(TEXTS, PARTS)) for name in sorted(compiled.names)}

    assert compiled.fill(parameters) == naive(text, parameters)


@given(st.lists(st.tuples(TEXTS, NAMES), max_size=6), TEXTS)
def test_R63_escaped_rendering_equals_plain_rendering_of_escaped_values(parts: list[tuple[str, str]], end: str) -> None:
    text = "".join(f"{before.replace('$', '$$')}${{{name}}}" for before, name in parts) + end.replace("$", "$$")
    values = {name: f"<{name}&{before}>" for before, name in parts}

    assert compile_text(text, escape).fill(values) == compile_text(text).fill(
        {name: escape(value) for name, value in values.items()},
    )
