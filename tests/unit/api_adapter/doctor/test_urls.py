import pytest

from api_adapter.doctor.urls import masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:hidden@localhost/0", "redis://:***@localhost/0"),
        ("redis://user:hidden@localhost/0", "redis://user:***@localhost/0"),
        ("amqp://user:p:w@rabbit//", "amqp://user:***@rabbit//"),
        ("redis://localhost/0?password=hidden&protocol=3", "redis://localhost/0?password=***&protocol=3"),
        (
            "sentinel://:hidden@a:26379/1?master_name=m&sentinel_password=hidden;sentinel://:hidden@b:26379/1",
            "sentinel://:***@a:26379/1?master_name=m&sentinel_password=***;sentinel://:***@b:26379/1",
        ),
        ("https://wallet.test/api", "https://wallet.test/api"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert masked(url) == shown
