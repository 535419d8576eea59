import orjson

from api_adapter.http.rate_headers import RATE_HEADERS, rate_headers
from tests.asgi_calls import Call, exchange, exchange_all
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.samples import send_body, send_fields
from worker.contract.clients import ClientKey, RegisteredClient

SEND = "/v2/miniprogram/message/send"
BATCH_SEND = "/v2/miniprogram/message/batchSend"


def limited_desk(rate: int | None = 2, **app_rates: int) -> FrontDesk:
    desk = FrontDesk()
    desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP}), (ClientKey(1, ""),), rate)
    desk.app_rates.update(app_rates)
    return desk


def rate_part(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(("ratelimit", "retry"))}


def sends(number: int) -> list[Call]:
    return [Call(SEND, [send_body(requestId=f"r{place}")]) for place in range(number)]


def test_R36_who_is_within_its_rate_learns_how_much_is_left() -> None:
    answer = exchange(limited_desk(5).app(), sends(1)[0])

    assert rate_part(answer.headers) == {
        "ratelimit-policy": '"client";q=5;w=1',
        "ratelimit": '"client";r=4;t=1',
        "ratelimit-limit": "5",
        "ratelimit-remaining": "4",
        "ratelimit-reset": "1",
    }


def test_R36_who_is_beyond_it_learns_when_to_come_again_with_http_200() -> None:
    *_, refused = exchange_all(limited_desk(1).app(), sends(3))

    assert (refused.status, refused.json["result"]["resultCode"]) == (200, "REQUEST_TRAFFIC_EXCEED_LIMIT")
    assert refused.json["result"]["resultStatus"] == "F"
    assert rate_part(refused.headers)["retry-after"] in {"1", "2"}
    assert rate_part(refused.headers)["ratelimit-remaining"] == "0"


def test_R36_of_two_limits_both_are_told_and_the_tighter_one_where_there_is_room_for_one() -> None:
    answer = exchange(limited_desk(5, **{APP: 3}).app(), sends(1)[0])

    assert rate_part(answer.headers) == {
        "ratelimit-policy": '"app";q=3;w=1, "client";q=5;w=1',
        "ratelimit": '"app";r=2;t=1, "client";r=4;t=1',
        "ratelimit-limit": "3",
        "ratelimit-remaining": "2",
        "ratelimit-reset": "1",
    }


def test_R36_a_batch_tells_when_the_last_of_what_was_refused_may_come() -> None:
    desk = limited_desk(2)
    answers = desk.take([send_body(requestId=f"r{number}") for number in range(9)])

    assert rate_headers(answers) == {
        "Retry-After": "4",
        "RateLimit-Policy": '"client";q=2;w=1',
        "RateLimit": '"client";r=0;t=4',
        "RateLimit-Limit": "2",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "4",
    }
    assert rate_headers(answers).keys() == RATE_HEADERS.keys()


def test_R36_of_a_batchSend_the_items_beyond_the_rate_are_refused_each_and_the_others_taken() -> None:
    desk = limited_desk(100)
    body = orjson.dumps({"sends": [send_fields(requestId=f"r{number}") for number in range(150)]})

    answer = exchange(desk.app(), Call(BATCH_SEND, [body]))

    codes = [item["result"]["resultCode"] for item in answer.json["items"]]
    assert codes == ["SUCCESS"] * 100 + ["REQUEST_TRAFFIC_EXCEED_LIMIT"] * 50
    assert answer.code == "SUCCESS"
    assert rate_part(answer.headers)["ratelimit-remaining"] == "0"
    assert rate_part(answer.headers)["retry-after"] == "1"


def test_R36_R50_a_repeat_beyond_the_rate_is_told_no_time_to_wait() -> None:
    first, _ = exchange_all((desk := limited_desk(1)).app(), [sends(1)[0]] * 2)
    repeat = exchange(desk.app(), sends(1)[0])

    assert repeat.json == first.json
    assert "retry-after" not in rate_part(repeat.headers)


def test_R36_callers_without_a_limit_are_told_of_none() -> None:
    assert rate_part(exchange(limited_desk(None).app(), sends(1)[0]).headers) == {}
