"""Which URLs and addresses merchants may be called back at."""

from ipaddress import ip_network

import pytest

from worker.callbacks.addresses import Target, UnfitUrlError, may_be_called, target_of

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "100.100.100.200"),  # noqa: S104 - not bound
    *("127.0.0.1", "127.255.255.255", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1"),
    *("2001::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "3fff::1", "5f00::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1"),
    *("::127.0.0.1", "::7f00:1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:101::"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0"),
    *("223.255.255.255", "168.63.129.15"),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2001:200::1", "2001:db7::1", "2001:db9::1"),
    *("::ffff:1.1.1.1", "64:ff9b::8.8.8.8", "2002:808:808::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_what_is_not_public_is_refused(address: str, scheme: str) -> None:
    assert not may_be_called(address, scheme, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_called_with_tls_alone(address: str) -> None:
    assert may_be_called(address, "https", ())
    assert not may_be_called(address, "http", ())


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::1"])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_network_that_the_settings_name_may_be_called_in_whatever_spelling(address: str, scheme: str) -> None:
    assert may_be_called(address, scheme, [ip_network("fd00::/8"), ip_network("10.1.0.0/16")])


@pytest.mark.parametrize("address", ["10.2.0.0", "10.0.255.255", "127.0.0.1", "::1"])
def test_what_the_settings_do_not_name_stays_refused(address: str) -> None:
    assert not may_be_called(address, "https", [ip_network("10.1.0.0/16")])


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example", Target("https", "shop.example", 443)),
        ("https://Shop.Example:8443/a/b?c=d", Target("https", "shop.example", 8443)),
        ("http://localhost:80/", Target("http", "localhost", 80)),
        ("https://1.2.3.4/", Target("https", "1.2.3.4", 443)),
        ("https://[2606:4700::1]:1/", Target("https", "2606:4700::1", 1)),
        ("https://my_shop.x-1.example/", Target("https", "my_shop.x-1.example", 443)),
        ("https://shop.example:65535/", Target("https", "shop.example", 65535)),
    ],
)
def test_a_plain_url_says_where_it_leads(url: str, target: Target) -> None:
    assert target_of(url) == target


def test_only_an_address_needs_no_resolving() -> None:
    assert target_of("https://1.2.3.4").address == "1.2.3.4"
    assert target_of("https://[::1]").address == "::1"
    assert target_of("https://shop.example").address is None


@pytest.mark.parametrize(
    "url",
    [
        *("", "shop.example", "//shop.example", "ftp://shop.example", "file:///etc/passwd", "https://", "https:///x"),
        *("https://user@shop.example", "https://user:pass@shop.example", "https://@shop.example"),
        *("https://shop.example#x", "https://shop.example:0", "https://shop.example:65536", "https://shop.example:x"),
        # Each parser reads these as another IPv4 address, or as a name.
        *("https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://1.2.3.4.5/"),
        *("https://0x7f.1/", "https://1.0x2/", "https://127.0.0.1./", "https://shop.example./", "https://01.2.3.4/"),
        *(
            "https://[::ffff:127.0.0.1%25eth0]/",
            "https://[fe80::1%eth0]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[::1/",
        ),
        *("https://shop.ex\u0430mple/", "https://\uff11.1.1.1/", "https://%73hop.example/", "https://shop..example/"),
        *("https://-shop.example/", "https://shop-.example/", "https://shop.example\\@evil.example/"),
        *(
            "https://shop.example/a b",
            "https://shop.example/\n",
            "https://shop.example/\x00",
            "https://sho\tp.example/",
        ),
        *("https://" + "a" * 254 + "/", "https://shop.example/" + "x" * 2_028),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(UnfitUrlError, match=r"^must"):
        target_of(url)


def test_a_url_of_2048_characters_is_taken() -> None:
    assert target_of("https://shop.example/" + "x" * 2_027).host == "shop.example"


@pytest.mark.parametrize(("length", "is_taken"), [(252, True), (253, True), (254, False)])
def test_the_name_of_a_host_has_at_most_253_characters(length: int, is_taken: bool) -> None:  # noqa: FBT001
    label = "a" * 49 + "."
    host = (label * 6)[: length - 8] + ".example"

    if is_taken:
        assert target_of(f"https://{host}/").host == host
    else:
        with pytest.raises(UnfitUrlError, match="must name its host"):
            target_of(f"https://{host}/")
