from collections import Counter
from itertools import pairwise

import pytest

from api_adapter.demo.faults import FAULTS
from api_adapter.demo.scenario import APP_ID, FEWEST, Via, notices, people
from worker.adapters.gateways.simulator.behaviours import DELIVER, behaviour_of
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel
from worker.contract.parsing import parse
from worker.contract.send_request import SendRequest
from worker.contract.users import SEND_SCOPE

NUMBERS = [FEWEST, 333, 2_000, 12_000]


@pytest.mark.parametrize("number", NUMBERS)
def test_there_are_as_many_notices_as_wanted_half_of_them_each_way(number: int) -> None:
    planned = notices(number)

    assert len({notice.request_id for notice in planned}) == number
    ways = Counter(notice.via for notice in planned)
    assert ways[Via.HTTP] - ways[Via.BATCH] in {0, 1}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_fault_is_met_and_slow_ones_by_few(number: int) -> None:
    met = Counter(notice.person.fault for notice in notices(number))

    assert all(1 <= met[fault] <= fault.most for fault in FAULTS)
    assert met[None] > number / 2


def test_faults_are_spread_over_the_whole_sending() -> None:
    places = [index for index, notice in enumerate(notices(2_000)) if notice.person.fault is FAULTS[0]]

    assert max(after - before for before, after in pairwise(places)) <= 2 * 2_000 // len(places)


def test_users_read_three_languages_and_some_opted_out_of_push() -> None:
    users = [person.user for person in people(notices(2_000))]

    assert {user.languages for user in users} == {("en-US",), ("zh-CN",), ("ja-JP",)}
    assert {user.opted_out for user in users} == {frozenset(), frozenset({Channel.PUSH})}
    assert all(len(user.customer_id) <= 32 for user in users)


def test_every_body_is_a_valid_send_to_its_user() -> None:
    for notice in notices(FEWEST):
        request = parse(SendRequest, notice.body)
        grant = notice.person.grant

        assert (request.request_id, request.access_token) == (notice.request_id, notice.person.token)
        assert (request.app_id, grant.app_id, grant.scopes) == (APP_ID, APP_ID, frozenset({SEND_SCOPE}))
        assert request.customer_belongs_to == grant.user.wallet


def test_the_simulator_plays_what_the_plan_says() -> None:
    for person in people(notices(2_000)):
        played = behaviour_of(person.user.customer_id)

        assert played.script == person.fault.script if person.fault else played is DELIVER


def test_a_notice_ends_as_its_fault_says() -> None:
    by_script = {notice.person.fault and notice.person.fault.script: notice for notice in notices(FEWEST)}

    assert by_script[None].ends is ResultStatus.S
    assert by_script["retry-2"].ends is ResultStatus.S
    assert by_script["fail"].ends is ResultStatus.F
    assert by_script["hang"].ends is ResultStatus.U


def test_a_message_that_was_shown_without_an_answer_counts_as_shown() -> None:
    shown = {fault.script: fault.is_shown for fault in FAULTS}

    assert [shown[script] for script in ("retry-2", "act-hang", "hang", "fail")] == [True, True, False, False]


def test_people_are_told_a_fault_in_few_words() -> None:
    assert max(len(fault.says) for fault in FAULTS) <= 26
    assert len({notice.fault for notice in notices(FEWEST)}) == len(FAULTS) + 1
