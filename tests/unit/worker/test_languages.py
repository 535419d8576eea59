import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.languages import Pick, Why, candidates, choose_language, closest


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("en", ["ja-JP", "en-US"], "en-US"),
        ("en-GB", ["en-US", "ja-JP"], "en-US"),
        ("en-AU", ["en-US", "en-GB"], "en-GB"),
        ("zh-CN", ["zh-Hant", "zh-Hans"], "zh-Hans"),
        ("zh-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("en_us", ["en", "en-US"], "en-US"),
        ("pt-BR", ["pt-PT"], "pt-PT"),
        ("zz", ["zz"], "zz"),
    ],
)
def test_R62_the_closest_tag_matches(wanted: str, offered: list[str], expected: str) -> None:
    assert closest(wanted, offered) == expected


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [("uk", "ru"), ("zh-TW", "zh-Hans"), ("ta", "en"), ("fr", "en-US"), ("und", "en"), ("not a tag", "en"), ("", "en")],
)
def test_R62_a_related_or_malformed_tag_does_not_match(wanted: str, offered: str) -> None:
    assert closest(wanted, [offered]) is None


def test_R62_the_same_tag_is_closer_than_an_equivalent_one() -> None:
    assert closest("en", ["en-US", "en"]) == "en"
    assert closest("en-US", ["en", "en-US"]) == "en-US"


def test_R62_among_equally_close_tags_the_first_wins() -> None:
    assert closest("en", ["en-US", "en-Latn-US"]) == "en-US"
    assert closest("en", ["en-Latn-US", "en-US"]) == "en-Latn-US"


def test_R8_an_entry_without_a_language_is_of_the_default() -> None:
    assert candidates(("ja-JP", "en-US"), ("en-US", None)) == {"en-US": 0, "ja-JP": 1}


def test_R62_candidates_are_the_languages_sent_that_the_template_has() -> None:
    assert list(candidates(("en-US", "ja-JP"), ("fr", "ja", "en")).items()) == [("ja-JP", 1), ("en-US", 2)]


def test_R62_of_two_entries_for_one_language_the_same_tag_counts_then_the_first() -> None:
    assert candidates(("en-US",), ("en", "en-US")) == {"en-US": 1}
    assert candidates(("en-US",), ("en-GB", "en")) == {"en-US": 0}


TEMPLATE = ("en-US", "zh-Hans", "ja-JP")


@pytest.mark.parametrize(
    ("sent", "preferred", "expected"),
    [
        (("en-US", "ja-JP"), ("ja",), Pick("ja-JP", 1, Why.PREFERRED)),
        (("en-US", "ja-JP"), ("fr", "ja-JP", "en"), Pick("ja-JP", 1, Why.PREFERRED)),
        (("ja-JP", "en-US"), ("en-GB", "ja-JP"), Pick("en-US", 1, Why.PREFERRED)),
        (("ja-JP", "en-US"), (), Pick("en-US", 1, Why.DEFAULT)),
        (("ja-JP", "en-US"), ("fr", "not a tag"), Pick("en-US", 1, Why.DEFAULT)),
        (("zh-Hans", "ja-JP"), ("fr",), Pick("zh-Hans", 0, Why.FIRST)),
        (("fr", "ja-JP"), ("fr",), Pick("ja-JP", 1, Why.FIRST)),
        (("fr", "de"), ("fr",), None),
    ],
)
def test_R62_preferred_then_default_then_first_wins(
    sent: tuple[str | None, ...],
    preferred: tuple[str, ...],
    expected: Pick | None,
) -> None:
    assert choose_language(TEMPLATE, sent, preferred) == expected


TAGS = st.sampled_from(["en", "en-US", "en-GB", "ja", "ja-JP", "zh", "zh-Hans", "zh-TW", "fr", "uk", "ru", "x-y"])


@given(
    st.lists(TAGS, min_size=1, max_size=4, unique=True).map(tuple),
    st.lists(st.one_of(st.none(), TAGS), min_size=1, max_size=5, unique=True).map(tuple),
    st.lists(st.one_of(TAGS, st.text(max_size=12)), max_size=4).map(tuple),
)
def test_R62_the_choice_is_a_candidate_and_exists_when_any_does(
    languages: tuple[str, ...],
    sent: tuple[str | None, ...],
    preferred: tuple[str, ...],
) -> None:
    found = candidates(languages, sent)

    choice = choose_language(languages, sent, preferred)

    allowed: list[tuple[str, int] | None] = [*found.items()] or [None]
    assert (choice and choice[:2]) in allowed
    assert set(found) <= set(languages)
