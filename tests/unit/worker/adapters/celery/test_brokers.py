from typing import Any

import pytest
from celery import Celery
from kombu.utils.scheduling import cycle_by_name

from worker.adapters.celery.app import publishing_app
from worker.adapters.celery.brokers import KEY_PREFIX, check_broker, plain_url, transport_options
from worker.adapters.celery.turns import SingleFirst
from worker.contract.errors import SettingsError

SENTINEL = "sentinel://:secret@one.test:26379;sentinel://:secret@two.test:26379/1"
QUERY = "?master_name=main&sentinel_password=guard"
REDIS_LIKE = ["redis://broker.test/1", "rediss://broker.test/1", "redis+socket:///broker.sock", SENTINEL + QUERY]
OTHERS = ["amqp://broker.test//", "amqps://broker.test//", "memory://"]


@pytest.mark.parametrize("url", REDIS_LIKE)
def test_in_redis_nothing_emulates_acknowledgements(url: str) -> None:
    assert transport_options(url)["ack_emulation"] is False
    assert "visibility_timeout" not in transport_options(url)


@pytest.mark.parametrize("url", REDIS_LIKE)
def test_in_redis_single_is_asked_for_first_and_keys_have_a_prefix(url: str) -> None:
    found = transport_options(url)

    assert cycle_by_name(found["queue_order_strategy"]) is SingleFirst
    assert found["priority_steps"] == [0]
    assert found["global_keyprefix"] == KEY_PREFIX


@pytest.mark.parametrize("url", REDIS_LIKE)
def test_in_redis_no_socket_waits_for_ever(url: str) -> None:
    found = transport_options(url)

    assert (found["socket_timeout"], found["socket_connect_timeout"], found["health_check_interval"]) == (3, 3, 3)


@pytest.mark.parametrize("url", OTHERS)
def test_other_brokers_get_no_options_of_redis(url: str) -> None:
    assert transport_options(url) == {}


@pytest.mark.parametrize("url", [REDIS_LIKE[0], REDIS_LIKE[2], *OTHERS])
def test_the_url_of_any_other_broker_is_left_alone(url: str) -> None:
    assert plain_url(url) == url


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("rediss://:p@b.test/1", "rediss://:p@b.test/1?ssl_cert_reqs=required"),
        ("rediss://b.test/1?ssl_ca_certs=/a.pem", "rediss://b.test/1?ssl_ca_certs=/a.pem&ssl_cert_reqs=required"),
        ("rediss://b.test/1?ssl_cert_reqs=none", "rediss://b.test/1?ssl_cert_reqs=none"),
    ],
)
def test_a_broker_with_tls_has_to_prove_its_name_unless_the_url_says_otherwise(url: str, plain: str) -> None:
    assert plain_url(url) == plain


def test_a_sentinel_url_names_the_master_and_the_sentinels_own_password() -> None:
    found = transport_options(SENTINEL + QUERY)

    assert found["master_name"] == "main"
    assert found["sentinel_kwargs"]["password"] == "guard"


def test_kombu_gets_a_sentinel_url_without_what_it_does_not_know() -> None:
    assert plain_url(SENTINEL + QUERY) == SENTINEL
    assert plain_url(f"{SENTINEL}{QUERY}&ssl_cert_reqs=required") == f"{SENTINEL}?ssl_cert_reqs=required"


@pytest.fixture
def app() -> Any:  # noqa: ANN401 - a Celery
    found = publishing_app(SENTINEL + QUERY)
    yield found
    found.close()


def test_kombu_understands_what_we_make_of_a_sentinel_url(app: Celery) -> None:
    connection = app.connection_for_write()

    assert connection.transport_cls == "sentinel"
    assert connection.alt == SENTINEL.split(";")
    assert (connection.transport_options or {})["master_name"] == "main"


@pytest.mark.parametrize("url", [*REDIS_LIKE, *OTHERS])
def test_a_broker_that_kombu_knows_is_taken(url: str) -> None:
    check_broker(url)


@pytest.mark.parametrize("url", ["nonsense://u:s3cr3t@h", "no.module:Here://u:s3cr3t@h", "redis://u:s3cr3t@h:port/1"])
def test_a_broker_that_kombu_does_not_know_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_broker(url)

    scheme = url.partition("://")[0]
    assert str(refused.value).startswith(f"TIDINGS_BROKER_URL: no broker can be reached by this {scheme}:// URL; ")
    assert "s3cr3t" not in str(refused.value)
