import json
import shlex

from api_adapter.cli.dev import curls, first_steps
from api_adapter.stack.samples import templates
from worker.contract.parsing import parse
from worker.contract.requests import Inquiry
from worker.contract.send_request import SendRequest
from worker.contract.templates import TemplateVersion
from worker.rendering import compile_template
from worker.settings import Settings


def commands() -> list[list[str]]:
    text = "\n".join(curls("http://127.0.0.1:8080", "hello-1"))
    return [shlex.split(command) for command in text.split("\n\n")]


def data_of(command: list[str]) -> bytes:
    return command[command.index("-d") + 1].encode()


def test_the_printed_commands_send_a_message_and_look_it_up() -> None:
    send, look_up = commands()

    assert send[:3] == ["curl", "-s", "http://127.0.0.1:8080/v2/miniprogram/message/send"]
    assert look_up[:3] == ["curl", "-s", "http://127.0.0.1:8080/v2/miniprogram/message/inquiry"]
    request, inquiry = parse(SendRequest, data_of(send)), parse(Inquiry, data_of(look_up))
    assert (request.app_id, request.request_id) == (inquiry.appId, inquiry.requestId) == ("sandbox-app", "hello-1")
    for command in (send, look_up):
        assert [command[index + 1] for index, word in enumerate(command) if word == "-H"] == [
            "Client-Id: sandbox",
            "Content-Type: application/json",
        ]


def test_the_printed_send_has_what_its_sample_template_needs() -> None:
    request = parse(SendRequest, data_of(commands()[0]))
    [definition] = [one for one in templates() if one.code == request.template_code]
    template = compile_template(TemplateVersion(version=1, **definition.model_dump()))

    assert template.missing(request.templates) == []
    assert template.superfluous(request.templates) == []


def test_the_printed_commands_fit_into_80_columns() -> None:
    lines = list(curls("http://127.0.0.1:65535", "hello-abcdef"))

    assert max(map(len, lines)) <= 80
    assert json.loads(data_of(commands()[0]))["templates"][0]["templateParameters"]["amount"] == "$12.50"


def test_where_requests_are_signed_no_command_is_shown_that_would_be_refused() -> None:
    off, required = (
        "\n".join(first_steps(Settings(signatures=signatures), "http://127.0.0.1:8080", "hello-1"))
        for signatures in ("off", "required")
    )

    assert "curl -s" in off
    assert "curl" not in required
    assert "tidings sign --help" in required
