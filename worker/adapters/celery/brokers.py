"""What each kind of broker needs to be told: kombu's transport options, read from the broker's URL."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kombu import Connection

from worker.contract.errors import SettingsError

KEY_PREFIX = "tidings:broker:"
"""Before every key of the broker in Redis, so that one server can hold broker and ledger."""

SENTINEL = "sentinel"
_VERIFIED = "ssl_cert_reqs"
_OF_SENTINEL = {"master_name", "sentinel_password", "sentinel_username"}


def check_broker(broker_url: str) -> None:
    """Raise SettingsError for a URL by which kombu reaches no broker; the text shows no password."""
    try:
        Connection(plain_url(broker_url)).get_transport_cls()
    except (KeyError, ValueError, ImportError, AttributeError):
        scheme = broker_url.partition("://")[0]
        raise SettingsError(
            f"TIDINGS_BROKER_URL: no broker can be reached by this {scheme}:// URL; give one such as "
            "redis://localhost:6379/1, sentinel://host:26379/1?master_name=mymaster or amqp://localhost"
        ) from None


def plain_url(broker_url: str) -> str:
    """Return the URL as kombu reads it: what only we know of a Sentinel URL is taken out, and TLS proves who answers.

    Of a `rediss://` URL that says nothing of it, kombu would tell its password to whoever answers.
    """
    if _is_sentinel(broker_url):
        return ";".join(_without_query(one) for one in broker_url.split(";"))
    url = urlsplit(broker_url)
    if url.scheme != "rediss" or _VERIFIED in dict(parse_qsl(url.query)):
        return broker_url
    return f"{broker_url}{'&' if url.query else '?'}{_VERIFIED}=required"


def transport_options(broker_url: str) -> dict[str, Any]:
    """Return kombu's options for a broker."""
    if _is_sentinel(broker_url):
        return _redis_options() | _sentinel_options(broker_url)
    if broker_url.startswith("redis"):
        return _redis_options()
    # RabbitMQ acknowledges by itself, cheaply: what a dead worker was handed goes to another one at once.
    return {}


def _is_sentinel(broker_url: str) -> bool:
    return broker_url.startswith(SENTINEL)


def _redis_options() -> dict[str, Any]:
    return {
        # The ledger is authoritative: without the emulation there is no visibility timeout, no unacked hash, no task
        # run twice, and a worker consumes about twice as much.
        "ack_emulation": False,
        "global_keyprefix": KEY_PREFIX,
        # `single` is asked for first, nine times in ten; kombu's own default is round robin.
        "queue_order_strategy": "worker.adapters.celery.turns:SingleFirst",
        # One list a queue. Nothing has a priority within a lane, and four lists would be four keys in every BRPOP.
        "priority_steps": [0],
        # Without these a publish on a dead connection waits for ever. And the consumer itself: before a BRPOP on a
        # connection that idled, redis-py asks for its health, and nothing else happens in the worker meanwhile.
        "socket_timeout": 3,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        # A half-open connection is noticed after one BRPOP (1 s), this, and at most this again until the next look.
        "health_check_interval": 3,
        # A push whose answer was lost is not repeated by redis-py: the hint falls due. Pipelines are safe this way too.
        "retry_on_timeout": False,
    }


def _sentinel_options(broker_url: str) -> dict[str, Any]:
    """Return what the query of a Sentinel URL says; kombu takes it from options alone."""
    found = {name: text for one in broker_url.split(";") for name, text in parse_qsl(urlsplit(one).query)}
    for_sentinels = {
        name.removeprefix("sentinel_"): text for name, text in found.items() if name.startswith("sentinel_")
    }
    # The Sentinels' own password and time-outs: those above are for the server that they name.
    kwargs = {"socket_timeout": 3, "socket_connect_timeout": 3, **for_sentinels}
    return {"master_name": found.get("master_name", ""), "sentinel_kwargs": kwargs}


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    rest = [pair for pair in parts.query.split("&") if pair and pair.partition("=")[0] not in _OF_SENTINEL]
    return parts._replace(query="&".join(rest)).geturl()
