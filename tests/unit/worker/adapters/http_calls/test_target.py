import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.http_calls.errors import UnfitUrlError
from worker.adapters.http_calls.target import Origin, target_of


def head_of(url: str) -> list[str]:
    return target_of(url).head.decode("ascii").split("\r\n")


def header(url: str, name: str) -> str | None:
    found = [line.partition(": ")[2] for line in head_of(url) if line.startswith(f"{name}: ")]
    return found[0] if found else None


def test_a_head_is_whole_up_to_the_length_of_the_body() -> None:
    assert target_of("http://wallet.test/api/send").head == (
        b"POST /api/send HTTP/1.1\r\n"
        b"Host: wallet.test\r\n"
        b"User-Agent: tidings\r\n"
        b"Accept: */*\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Type: application/json; charset=UTF-8\r\n"
        b"Content-Length: "
    )


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("http://wallet.test", Origin(is_tls=False, host="wallet.test", port=80), "wallet.test"),
        ("https://wallet.test", Origin(is_tls=True, host="wallet.test", port=443), "wallet.test"),
        ("http://wallet.test:80/", Origin(is_tls=False, host="wallet.test", port=80), "wallet.test"),
        ("https://wallet.test:80", Origin(is_tls=True, host="wallet.test", port=80), "wallet.test:80"),
        ("http://wallet.test:8080", Origin(is_tls=False, host="wallet.test", port=8080), "wallet.test:8080"),
        ("HTTPS://Wallet.TEST:8443", Origin(is_tls=True, host="wallet.test", port=8443), "wallet.test:8443"),
        ("http://wallet_1.test", Origin(is_tls=False, host="wallet_1.test", port=80), "wallet_1.test"),
        ("http://127.0.0.1:9", Origin(is_tls=False, host="127.0.0.1", port=9), "127.0.0.1:9"),
        ("http://[::1]", Origin(is_tls=False, host="::1", port=80), "[::1]"),
        ("http://[0:0::1]:8080", Origin(is_tls=False, host="::1", port=8080), "[::1]:8080"),
        ("http://財布.test", Origin(is_tls=False, host="xn--8stq15h.test", port=80), "xn--8stq15h.test"),
    ],
)
def test_where_a_url_leads_to(url: str, origin: Origin, host: str) -> None:
    assert target_of(url).origin == origin
    assert header(url, "Host") == host


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://wallet.test", "/"),
        ("http://wallet.test/api/", "/api/"),
        ("http://wallet.test//a//b", "//a//b"),
        ("http://wallet.test/a b/é%20/%zz", "/a%20b/%C3%A9%20/%zz"),
        ("http://wallet.test/a?b=c d&e=/?", "/a?b=c%20d&e=/?"),
        ("http://wallet.test/a#b", "/a"),
        ("http://wallet.test/a\r\nX: y", "/aX:%20y"),
        ("http://wallet.test/a\x00b", "/a%00b"),
    ],
)
def test_a_path_is_sent_as_it_is_but_for_what_a_request_line_cannot_hold(url: str, target: str) -> None:
    assert head_of(url)[0] == f"POST {target} HTTP/1.1"
    assert len(head_of(url)) == 7


@pytest.mark.parametrize(
    ("user", "credentials"),
    [
        ("me:secret", "bWU6c2VjcmV0"),
        ("me", "bWU6"),
        ("me:a%40b%3A", "bWU6YUBiOg=="),
        ("me:a%0D%0Ab", "bWU6YQ0KYg=="),
    ],
)
def test_who_is_named_in_a_url_is_shown_as_basic_authorization(user: str, credentials: str) -> None:
    url = f"http://{user}@wallet.test/a"

    assert header(url, "Authorization") == f"Basic {credentials}"
    assert header(url, "Host") == "wallet.test"
    assert credentials not in repr(target_of(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wallet.test",
        "//wallet.test",
        "ftp://wallet.test",
        "http://",
        "http://:80",
        "http://user@",
        "http://wallet.test:0",
        "http://wallet.test:65536",
        "http://wallet.test:http",
        "http://wal let.test",
        "http://wallet.test%0d%0a",
        "http://wallet..tést",
        "http://[::1",
        "http://[fe80::1%25eth0]",
        "http://[127.0.0.1]",
        "http://wallet.test/\ud800",
        "http://\ud800@wallet.test/",
        "http://wallet.test/?\ud800",
    ],
)
def test_what_is_no_url_of_http_is_said_so_without_its_text(url: str) -> None:
    with pytest.raises(UnfitUrlError) as raised:
        target_of(url)

    assert str(raised.value) == "not a URL of http or https"


@pytest.mark.parametrize("host", ["straße.test", "πες.test", "a\u200cb.test", "a\u200db.test"])
def test_a_name_that_means_another_one_by_the_newer_rules_has_to_be_written_in_ascii(host: str) -> None:
    with pytest.raises(UnfitUrlError, match="written in ASCII"):
        target_of(f"https://{host}/")


@given(st.text() | st.text().map("http://".__add__) | st.text().map("https://wallet.test/".__add__))
def test_no_text_makes_more_lines_than_a_head_has(url: str) -> None:
    try:
        lines = head_of(url)
    except UnfitUrlError:
        return

    assert len(lines) == 7 + any(line.startswith("Authorization") for line in lines)
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert lines[0].count(" ") == 2
