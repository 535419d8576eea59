from typing import Any

import pytest
from pydantic import ValidationError

from worker.contract.templates import TemplateDefinition

TEXT = {"title": "T", "body": "B"}


def definition(**fields: Any) -> TemplateDefinition:  # noqa: ANN401 - whatever a definition holds
    whole = {
        "code": "PAY",
        "channels": ["PUSH"],
        "default_language": "en-US",
        "contents": {"en-US": {"PUSH": TEXT}},
    }
    return TemplateDefinition.model_validate(whole | fields)


def test_R60_languages_are_kept_in_their_standard_spelling() -> None:
    found = definition(default_language="EN_us", contents={"en_US": {"PUSH": TEXT}, "ZH-hans": {"PUSH": TEXT}})

    assert (found.default_language, list(found.contents)) == ("en-US", ["en-US", "zh-Hans"])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"channels": []}, "names no channel"),
        ({"channels": ["PUSH", "PUSH"]}, "names a channel twice"),
        ({"channels": ["PUSH", "INBOX"]}, "contents.en-US: lacks the content of INBOX"),
        ({"channels": ["INBOX"]}, "contents.en-US.PUSH: not among the template's channels"),
        ({"default_language": "ja"}, "default_language: contents lack this language"),
        ({"default_language": "not a tag"}, "is not a BCP 47 language tag"),
        ({"contents": {"en-US": {"PUSH": TEXT | {"title": ""}}}}, "at least 1 character"),
        ({"code": "PAY#1"}, "pattern"),
        ({"colour": "red"}, "not permitted"),
    ],
)
def test_R60_a_definition_that_is_not_whole_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        definition(**fields)
