"""`tidings client` and `tidings sign`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine
from tests.keys import private_pem, public_pem
from worker.contract.moments import read_moment
from worker.signatures import is_signed, read_signature, signed_digest


@pytest.fixture
def tidings(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "three"):
        Path(f"{name}.pub.pem").write_text(public_pem(name))
        Path(f"{name}.pem").write_bytes(private_pem(name))
    return CommandLine(redis_url)


def listed(tidings: CommandLine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads("\n".join(tidings.lines("client", "list", "--json")))
    return found


def add(tidings: CommandLine, *more: str) -> list[str]:
    return tidings.lines("client", "add", "shop", "--key", "one.pub.pem", "--app-id", "333301", *more)


def test_R20_add_registers_all_that_a_client_may(tidings: CommandLine) -> None:
    said = add(tidings, "--app-id", "333302", "--rate", "50", "--ip", "203.0.113.0/24", "--ip", "2001:db8::1")

    assert said == ["shop: keyVersion 1; apps 333301 333302; 50/s; addresses 203.0.113.0/24 2001:db8::1/128"]
    assert listed(tidings) == [
        {
            "clientId": "shop",
            "appIds": ["333301", "333302"],
            "keys": [{"keyVersion": 1, "endsAt": None, "pem": public_pem("one")}],
            "rate": 50,
            "rateUse": {"left": 50, "refused": 0},
            "addresses": ["203.0.113.0/24", "2001:db8::1/128"],
        },
    ]


def test_R20_a_known_client_is_changed_and_keeps_its_keys(tidings: CommandLine) -> None:
    add(tidings, "--rate", "50")
    tidings.lines("client", "rotate", "shop", "--key", "two.pub.pem")
    tidings.lines("client", "add", "shop", "--app-id", "333309")

    (client,) = listed(tidings)
    assert (client["appIds"], client["rate"]) == (["333309"], None)
    assert [key["keyVersion"] for key in client["keys"]] == [1, 2]


def test_R27_rotate_adds_a_key_and_ends_the_older_ones_after_the_overlap(tidings: CommandLine) -> None:
    add(tidings)

    (said,) = tidings.lines("client", "rotate", "shop", "--key", "two.pub.pem", "--expires-in", "365d")

    older, newer = listed(tidings)[0]["keys"]
    assert said.startswith("shop: keyVersion 1 until 20")
    assert "; keyVersion 2 until 20" in said
    assert newer["endsAt"] - older["endsAt"] == (365 - 7) * 86_400_000
    assert (older["pem"], newer["pem"]) == (public_pem("one"), public_pem("two"))


def test_R27_a_key_that_leaked_ends_at_once(tidings: CommandLine) -> None:
    add(tidings)
    tidings.lines("client", "rotate", "shop", "--key", "two.pub.pem", "--old-keys-end-in", "0s")
    tidings.lines("client", "rotate", "shop", "--key", "three.pub.pem", "--old-keys-end-in", "1h")

    assert [key["keyVersion"] for key in listed(tidings)[0]["keys"]] == [2, 3]


def test_list_has_a_row_a_client(tidings: CommandLine) -> None:
    assert tidings.lines("client", "list") == ["no clients yet: see tidings client add --help"]
    add(tidings, "--rate", "50", "--ip", "203.0.113.7")
    tidings.lines("client", "add", "cafe", "--key", "two.pub.pem", "--app-id", "333302")

    heading, *rows = tidings.lines("client", "list")

    assert heading.split() == ["Client", "Apps", "Keys", "Rate", "Refused", "Addresses"]
    assert [row.split() for row in rows] == [
        ["cafe", "333302", "keyVersion", "1", "any"],
        ["shop", "333301", "keyVersion", "1", "50/s,", "50", "left", "now", "0", "203.0.113.7/32"],
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("add a\tb --key one.pub.pem --app-id a", "CLIENT_ID: must be 1 to 128 printable ASCII characters"),
        ("add new --app-id a", "--key: is required for a client that is not registered yet"),
        ("add new --key no.pem --app-id a", "--key: can't be read (No such file or directory)"),
        ("add new --key one.pem --app-id a", "--key: is a private key, which its owner alone should have"),
        (f"add new --key one.pub.pem --app-id {'a' * 33}", "--app-id: must be 1 to 32 characters"),
        ("add new --key one.pub.pem --app-id a --ip 203.0.113.1/24", "--ip: must be an address or a network"),
        ("add new --key one.pub.pem --app-id a --expires-in soon", "--expires-in: must be a duration"),
        ("add shop --key two.pub.pem --app-id a", "--key: this client is registered; give it a newer key with"),
        ("add shop --app-id a --expires-in 1d", "--expires-in: is about a new key; give --key too"),
        ("rotate new --key one.pub.pem", "CLIENT_ID: is not registered"),
        ("rotate shop --key one.pub.pem", "--key: is the client's keyVersion 1 already; make a new one"),
        ("rotate shop --key two.pub.pem --old-keys-end-in never", "--old-keys-end-in: must be a duration"),
    ],
)
def test_what_can_not_be_registered_is_one_line_and_code_2(tidings: CommandLine, arguments: str, reason: str) -> None:
    add(tidings)
    before = listed(tidings)

    assert tidings.refused("client", *arguments.split(" ")).startswith(reason)
    assert listed(tidings) == before


def test_R23_sign_prints_headers_that_verify(tidings: CommandLine) -> None:
    body = "{\n}\r\n小明\n".encode()
    Path("send.json").write_bytes(body)
    options = ("--client-id", "shop", "--key", "one.pem", "--key-version", "3")

    lines = tidings.lines("sign", "send.json", *options, "--path", "/api/open/v2/x?a=b")
    piped = tidings.lines("sign", "-", *options, "--at", "2019-05-28T12:12:14+08:00", stdin=body)

    found = dict(line.split(": ", 1) for line in lines)
    claimed = read_signature(found["Signature"])
    assert list(found) == ["Content-Type", "Client-Id", "Request-Time", "Signature"]
    assert claimed is not None
    assert claimed.key_version == 3
    digest = signed_digest("/api/open/v2/x?a=b", "shop", found["Request-Time"], body)
    assert is_signed(public_pem("one"), claimed.signature, digest)
    assert read_moment(found["Request-Time"]) is not None
    assert piped[2] == "Request-Time: 2019-05-28T12:12:14+08:00"


def test_R23_sign_signs_a_get_without_a_body(tidings: CommandLine) -> None:
    path = "/v2/miniprogram/message/template?templateCode=A"

    lines = tidings.lines("sign", "--path", path, "--client-id", "shop", "--key", "one.pem")

    found = dict(line.split(": ", 1) for line in lines)
    claimed = read_signature(found["Signature"])
    assert list(found) == ["Client-Id", "Request-Time", "Signature"]
    assert claimed is not None
    digest = signed_digest(path, "shop", found["Request-Time"], b"", "GET")
    assert is_signed(public_pem("one"), claimed.signature, digest)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("no.json --client-id m --key one.pem", "FILE: can't be read"),
        ("one.pem --client-id m --key no.pem", "--key: can't be read"),
        ("one.pem --client-id m --key one.pub.pem", "--key: must be an RSA private key in PEM"),
        ("one.pem --client-id é --key one.pem", "--client-id: must be 1 to 128 printable ASCII characters"),
        ("one.pem --client-id m --key one.pem --path v2", "--path: must be a path such as"),
        ("one.pem --client-id m --key one.pem --path /é", "--path: must be a path such as"),
        ("one.pem --client-id m --key one.pem --at now", "--at: must be a time with offset"),
    ],
)
def test_what_can_not_be_signed_is_one_line_and_code_2(tidings: CommandLine, arguments: str, reason: str) -> None:
    assert tidings.refused("sign", *arguments.split(" ")).startswith(reason)


def test_R20_where_signatures_are_required_send_takes_registered_clients_alone(tidings: CommandLine) -> None:
    Path("notices.jsonl").write_text("{}\n")

    told = tidings.refused("send", "notices.jsonl", "--client-id", "shop", signatures="required")

    assert told == "--client-id: header Client-Id: is not a known client; see tidings client list"


def consequences(tidings: CommandLine, *more: str, **settings: str) -> list[str]:
    result = tidings("client", "remove", "shop", "--json", *more, **settings)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["clientId"], said["dryRun"]) == ("shop", "--yes" not in more)
    *found, by = said["consequences"]
    clients = len(json.loads(settings.get("clients", "{}")))
    assert by == said_by(settings.get("signatures", "off"), clients)
    return list(found)


def said_by(signatures: str, clients: int) -> str:
    named = f"{clients} client" if clients == 1 else f"{clients} clients"
    return (
        f"said by this command's own settings: TIDINGS_SIGNATURES={signatures}, TIDINGS_CLIENTS with {named}; "
        "API processes that have others judge by those"
    )


KEYS = "its keys are forgotten: registered again it begins with keyVersion 1"


def test_without_yes_a_client_stays_and_what_depends_on_it_is_said(tidings: CommandLine) -> None:
    add(tidings, "--app-id", "333302")
    tidings.lines("client", "add", "other", "--key", "two.pub.pem", "--app-id", "333302")

    assert tidings.lines("client", "remove", "shop") == [
        "would remove shop",
        "  nobody else may send for 333301",
        f"  {KEYS}",
        f"  {said_by('off', 0)}",
        "nothing was changed; add --yes to remove it",
    ]
    assert [client["clientId"] for client in listed(tidings)] == ["other", "shop"]


def test_a_client_is_removed_once_and_may_be_registered_anew(tidings: CommandLine) -> None:
    add(tidings)
    tidings.lines("client", "rotate", "shop", "--key", "two.pub.pem")

    assert tidings.lines("client", "remove", "shop", "--yes")[0] == "shop is removed"
    assert listed(tidings) == []
    assert tidings.refused("client", "remove", "shop", "--yes") == (
        "CLIENT_ID: is not registered; see tidings client list"
    )
    assert add(tidings) == ["shop: keyVersion 1; apps 333301; addresses any"]


def test_that_the_last_client_leaves_the_api_open_or_closed_is_said(tidings: CommandLine) -> None:
    add(tidings)

    assert consequences(tidings) == [
        "no client is left: ANYBODY MAY SEND FOR ANY appId; set TIDINGS_SIGNATURES=required before",
        KEYS,
    ]
    assert consequences(tidings, signatures="required") == ["no client is left: nobody may call", KEYS]
    assert consequences(tidings, clients='{"m": ["333301"]}') == [KEYS]
    assert consequences(tidings, clients='{"shop": ["333309"]}') == [
        "TIDINGS_CLIENTS names it: it may call for the appIds there, without a key, rate and addresses",
        "nobody else may send for 333301",
        KEYS,
    ]
