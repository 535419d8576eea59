"""What clients learn of templates over HTTP."""

from typing import Any

import orjson
import pytest

from tests.asgi_calls import Answer, Call, exchange
from tests.front_desk import FrontDesk, payment_notice
from worker.contract.codes import ResultCode

ROOT = "/v2/miniprogram/message/"
HELLO = {"language": "en", "templateParameters": {"who": "Mia", "colour": "red"}}


def get(desk: FrontDesk, path: str) -> Answer:
    return exchange(desk.app(), Call(ROOT + path, method="GET", headers=[("Client-Id", "merchant-1")]))


def preview(desk: FrontDesk, **fields: object) -> dict[str, Any]:
    whole = {"templateCode": "PAYMENT_NOTICE", "templates": [HELLO], "redirectUrl": "/pages/1"} | fields
    return exchange(desk.app(), Call(ROOT + "templatePreview", [orjson.dumps(whole)])).json


def with_versions() -> FrontDesk:
    """Return a desk whose template has a version 1, a live version 2 and a draft 3."""
    desk = FrontDesk()
    desk.templates.versions["PAYMENT_NOTICE", 2] = payment_notice(version=2, app_name="Bar")
    desk.templates.drafts["PAYMENT_NOTICE", 3] = payment_notice(version=3, app_name="Secret")
    return desk


def test_R60_a_template_is_looked_up_with_its_texts_and_the_parameters_that_it_requires() -> None:
    found = get(with_versions(), "template?templateCode=PAYMENT_NOTICE").json["template"]

    assert (found["code"], found["version"], found["appName"]) == ("PAYMENT_NOTICE", 2, "Bar")
    assert found["required"] == {"en-US": ["who"], "ja-JP": ["amount", "who"]}
    assert found["requiredByChannel"]["ja-JP"] == {"PUSH": ["amount", "who"], "INBOX": ["amount", "who"]}
    assert found["contents"]["en-US"]["PUSH"] == {"title": "Paid", "body": "Hello, ${who}"}
    assert found["needsRedirectUrl"] is True


def test_R60_a_version_that_was_live_can_be_seen_and_a_draft_can_not() -> None:
    desk = with_versions()

    assert get(desk, "template?templateCode=PAYMENT_NOTICE&version=1").json["template"]["version"] == 1
    for version in (3, 4):
        answer = get(desk, f"template?templateCode=PAYMENT_NOTICE&version={version}")
        assert answer.code == ResultCode.TEMPLATE_NOT_EXIST
        assert b"Secret" not in answer.body
        assert preview(desk, version=version)["result"]["resultCode"] == ResultCode.TEMPLATE_NOT_EXIST


@pytest.mark.parametrize(
    ("query", "code", "path"),
    [
        ("", "PARAM_ILLEGAL", "$.templateCode: is required"),
        ("?templateCode=", "PARAM_ILLEGAL", "$.templateCode: must have at least 1 character"),
        (f"?templateCode={'x' * 65}", "PARAM_ILLEGAL", "$.templateCode: must have at most 64 characters"),
        (f"?templateCode={'x' * 64}", "TEMPLATE_NOT_EXIST", "$.templateCode: no template has this code"),
        ("?templateCode=PAYMENT_NOTICE%231", "PARAM_ILLEGAL", "$.templateCode: must not contain @, #, ?"),
        ("?templateCode=A&version=0", "PARAM_ILLEGAL", "$.version: "),
        ("?templateCode=A&version=x", "PARAM_ILLEGAL", "$.version: "),
        ("?templateCode=A&version=9999999999", "PARAM_ILLEGAL", "$.version: "),
        ("?templateCode=%ff", "TEMPLATE_NOT_EXIST", "$.templateCode: no template has this code"),
    ],
)
def test_a_bad_query_is_refused_with_the_name_of_the_field(query: str, code: str, path: str) -> None:
    answer = get(FrontDesk(), "template" + query)

    assert (answer.status, answer.code) == (200, code)
    assert answer.json["result"]["resultMessage"].startswith(path)


def test_a_percent_encoded_query_is_decoded() -> None:
    assert get(FrontDesk(), "template?templateCode=%50AYMENT%5FNOTICE&other=%20").code == "SUCCESS"


def test_live_templates_are_listed_a_page_at_a_time() -> None:
    desk = with_versions()
    for code in ("B", "A", "C"):
        desk.templates.versions[code, 1] = payment_notice(code=code)

    pages = [get(desk, f"templates?limit=2&after={after}").json for after in ("", "B", "PAYMENT_NOTICE")]

    assert [[item["code"] for item in page["templates"]] for page in pages] == [["A", "B"], ["C", "PAYMENT_NOTICE"], []]
    assert [page["next"] for page in pages] == ["B", None, None]
    assert pages[1]["templates"][1]["version"] == 2
    assert "contents" not in pages[0]["templates"][0]
    assert get(desk, "templates").json["next"] is None


@pytest.mark.parametrize(
    ("limit", "code"), [("0", "PARAM_ILLEGAL"), ("1", "SUCCESS"), ("200", "SUCCESS"), ("201", "PARAM_ILLEGAL")]
)
def test_a_page_has_1_to_200_templates(limit: str, code: str) -> None:
    assert get(FrontDesk(), f"templates?limit={limit}").code == code


def test_a_template_of_another_release_spoils_no_other() -> None:
    desk = with_versions()
    desk.templates.versions["A", 1] = payment_notice(code="A")
    desk.templates.unreadable = {"A"}

    assert [item["code"] for item in get(desk, "templates").json["templates"]] == ["PAYMENT_NOTICE"]
    for query in ("templateCode=A", "templateCode=A&version=1"):
        assert get(desk, f"template?{query}").code == ResultCode.PROCESS_FAIL


def test_a_preview_shows_every_language_and_which_a_user_would_get() -> None:
    japanese = {"language": "ja", "templateParameters": {"who": "ミア"}}

    answer = preview(with_versions(), templates=[HELLO, japanese], preferredLanguages=["de", "en_gb"])

    assert (answer["templateVersion"], answer["choice"]["language"], answer["choice"]["why"]) == (
        2,
        "en-US",
        "PREFERRED",
    )
    english, other = answer["languages"]
    assert english["channels"][0]["content"] == {"title": "Paid", "content": "Hello, Mia", "linkUrl": "/pages/1"}
    assert english["channels"][1]["content"]["header"]["appName"] == "Bar"
    assert english["channels"][0]["lengths"]["title"] == {"characters": 4, "most": 128}
    assert (other["language"], other["missing"], other["channels"]) == ("ja-JP", ["amount"], [])
    assert answer["remarks"] == ["$.templates[0].templateParameters.colour: is not used by the template"]


def test_a_preview_says_what_is_too_long_and_when_nobody_can_say_the_language() -> None:
    long = preview(FrontDesk(), templates=[{"templateParameters": {"who": "x" * 1018}}])
    nothing = preview(FrontDesk(), templates=[{"language": "fr"}])

    push, inbox = long["languages"][0]["channels"]
    assert (push["content"], inbox["fault"]) == (None, None)
    assert push["fault"].startswith("PUSH body has 1025 characters, at most 1024 are allowed")
    assert nothing["choice"] is None
    assert nothing["languages"][0]["missing"] == ["who"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"templates": []}, "$.templates: must have at least 1 entry"),
        ({"templateCode": None}, "$.templateCode: must be a string"),
        ({"preferredLanguages": ["e!"]}, "$.preferredLanguages[0]: is not a BCP 47 language tag"),
        ({"preferredLanguages": ["en"] * 21}, "$.preferredLanguages: must have at most 20 entries"),
        ({"redirectUrl": "x" * 2049}, "$.redirectUrl: must have at most 2048 characters"),
    ],
)
def test_a_bad_preview_is_refused_with_the_name_of_the_field(fields: dict[str, object], path: str) -> None:
    result = preview(FrontDesk(), **fields)["result"]

    assert (result["resultCode"], result["resultMessage"].startswith(path)) == ("PARAM_ILLEGAL", True)


@pytest.mark.parametrize(
    "path", ["template?templateCode=PAYMENT_NOTICE", "templates", "template?templateCode=A&version=1"]
)
def test_R31_without_the_store_nobody_can_say(path: str) -> None:
    desk = FrontDesk()
    desk.templates.away = True

    assert get(desk, path).code == ResultCode.UNKNOWN_EXCEPTION


@pytest.mark.parametrize("path", ["template?templateCode=PAYMENT_NOTICE", "templates"])
def test_R39_R40_callers_are_named_and_methods_are_those_of_the_document(path: str) -> None:
    desk = FrontDesk()

    assert exchange(desk.app(), Call(ROOT + path, method="GET", headers=[])).code == ResultCode.INVALID_CLIENT
    assert exchange(desk.app(), Call(ROOT + path, [b"{}"])).code == ResultCode.METHOD_NOT_SUPPORTED
    assert exchange(desk.app(), Call(ROOT + "templatePreview", method="GET")).code == ResultCode.METHOD_NOT_SUPPORTED
