from hypothesis import given
from hypothesis import strategies as st

from worker.contract.template_history import TemplateAct, TemplateEvent, before_live

PUT, PUBLISH, ROLLBACK = TemplateAct


def history(*events: tuple[TemplateAct, int, int]) -> list[TemplateEvent]:
    """Return events given in the order in which they happened."""
    return [TemplateEvent(0, act, version, former, "") for act, version, former in reversed(events)]


def test_nothing_was_live_before_the_first_version() -> None:
    assert before_live([]) is None
    assert before_live(history((PUT, 1, 0), (PUBLISH, 1, 0))) is None


def test_a_rollback_leads_to_the_version_that_was_live_before_whatever_drafts_there_are() -> None:
    assert before_live(history((PUBLISH, 1, 0), (PUBLISH, 2, 1), (PUT, 3, 2))) == 1


def test_a_second_rollback_goes_further_back_and_never_to_what_the_first_one_removed() -> None:
    published = [(PUBLISH, 1, 0), (PUBLISH, 2, 1), (PUBLISH, 3, 2)]

    assert before_live(history(*published, (ROLLBACK, 2, 3))) == 1
    assert before_live(history(*published, (ROLLBACK, 2, 3), (ROLLBACK, 1, 2))) is None


def test_what_is_published_after_a_rollback_leads_back_to_what_the_rollback_brought() -> None:
    assert before_live(history((PUBLISH, 1, 0), (PUBLISH, 2, 1), (ROLLBACK, 1, 2), (PUBLISH, 3, 1))) == 1


@given(st.lists(st.integers(1, 4), max_size=20))
def test_rolling_back_all_the_way_ends_at_the_first_publication(wanted: list[int]) -> None:
    events: list[tuple[TemplateAct, int, int]] = []
    path: list[int] = []
    for version in wanted:
        if not path or path[-1] != version:
            events.append((PUBLISH, version, path[-1] if path else 0))
            path.append(version)
    while (back := before_live(history(*events))) is not None:
        assert back == path[-2]
        events.append((ROLLBACK, back, path.pop()))

    assert len(path) <= 1
