"""Every setting, read once at start from the environment and handed down."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.contract.errors import SettingsError
from worker.contract.introspection import MemberNames

PREFIX = "TIDINGS_"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
Milliseconds = Annotated[int, Field(gt=0, le=36_500 * 86_400_000)]
"""At most a hundred years: beyond, moments have no date."""


class Settings(BaseSettings):
    """All settings; each is the environment variable `TIDINGS_<NAME>`, durations in milliseconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    redis_url: str = Field("", description="Redis or Valkey 7+ of the ledger; empty: the embedded Valkey")
    broker_url: str = Field("", description="Celery's broker; empty: as redis_url, under keys of its own")
    data_dir: Path = Field(Path(".tidings"), description="Home of the embedded Valkey's data and of local secrets")
    token_secret: SecretStr = Field(
        SecretStr(""),
        description="Key of the hash that tokens are stored under; empty: made once in data_dir (embedded only)",
    )
    introspection_url: str = Field(
        "",
        description="Where access tokens are asked for (RFC 7662); empty: they are those that tidings token put stored",
    )
    introspection_client_id: str = Field(
        "", description="Our name at the authorization server; empty: the secret is a bearer token"
    )
    introspection_secret_file: str = Field(
        "", description="File with our secret at the authorization server, or with the bearer token"
    )
    introspection_members: Annotated[MemberNames, NoDecode] = Field(
        MemberNames(),
        description='JSON such as {"wallet": "/ext/wallet"}: names of the answer\'s members, see docs/tokens.md',
    )
    introspection_wallet: str = Field(
        "", max_length=64, description="Wallet of the users whose introspection names none"
    )
    introspection_scope: str = Field(
        "SEND_MESSAGE", min_length=1, description="What the authorization server calls the scope SEND_MESSAGE"
    )
    introspection_timeout: Milliseconds = Field(2_000, description="Longest introspection call in all")
    introspection_calls: int = Field(64, ge=1, description="Most introspection calls in flight from one API process")
    introspection_ttl: Milliseconds = Field(
        60_000, description="How long an introspected token is not asked for again: so long it outlives its revocation"
    )
    introspection_cache: int = Field(20_000, ge=1, description="Most introspected tokens that are remembered")
    clients: Annotated[dict[str, tuple[str, ...]], NoDecode] = Field(
        {},
        description='JSON such as {"merchant-1": ["app-1"]}: which appIds an unregistered Client-Id may send for; '
        "empty: any for any while no client is registered",
    )

    app_rates: Annotated[dict[str, Annotated[int, Field(ge=1)]], NoDecode] = Field(
        {},
        description='JSON such as {"333301": 200, "*": 50}: most sends a second for an appId over HTTP, whoever sends '
        "them; * is every other appId (R36)",
    )

    signatures: Literal["off", "required"] = Field(
        "off",
        description="required: the API takes nothing but signed requests of registered clients; off: the Client-Id "
        "header is believed (R20)",
    )
    request_skew: Milliseconds = Field(
        300_000, description="How far a signed request's Request-Time may be from the server's time (R21)"
    )
    signing_key_file: str = Field(
        "", description="PEM file of the private key that answers are signed with; empty: they are not"
    )
    signing_key_version: int = Field(1, ge=1, le=999_999_999, description="The keyVersion that signed answers name")

    api_host: str = Field("127.0.0.1", description="Address the HTTP API listens on")
    api_port: int = Field(8080, ge=0, le=65535, description="Port of the HTTP API; 0: a free one")
    head_timeout: Milliseconds = Field(
        30_000, description="How long a request's head may take to arrive; an idle connection is closed after it too"
    )
    body_timeout: Milliseconds = Field(
        10_000,
        description="How long a request's body may take, and again for each MiB that came; beyond, HTTP 408",
    )
    api_prefix: str = Field("", description="Path prefix under which the API is served too, such as /api/open")
    extend_info_object: Literal["refuse", "allow"] = Field(
        "refuse", description="Whether extendInfo may be an object (R10)"
    )
    gateway_host: str = Field("127.0.0.1", description="Address the gateway simulator listens on")
    gateway_port: int = Field(8090, ge=0, le=65535, description="Port of the gateway simulator; 0: a free one")

    shards: int = Field(16, ge=1, le=1024, description="Number of shards; fixed once a ledger exists")
    lease: Milliseconds = Field(
        6_000, description="How long a claim holds a message; renewed while calls are in flight"
    )
    grace: Milliseconds = Field(3_000, description="After how long a hint is published again; doubles each time")
    longest_grace: Milliseconds = Field(60_000, description="Upper bound of the doubled grace")
    sweep_interval: Milliseconds = Field(1_000, description="How often each worker process looks for overdue messages")
    sweep_size: int = Field(400, ge=1, le=5_000, description="Most overdue messages that one sweep re-hints per shard")
    window_single: int = Field(200, ge=1, description="Messages of one merchant in flight per shard, interactive sends")
    window_bulk: int = Field(500, ge=1, description="Messages of one merchant in flight per shard, batches")
    waiting_per_merchant: int = Field(
        1_000,
        ge=1,
        description="Messages of one merchant, per lane and shard, whose retries may wait; beyond, its backlog does",
    )
    retention: Milliseconds = Field(7 * 86_400_000, description="How long a final message is remembered (R54)")
    schedule_ahead: Milliseconds = Field(30 * 86_400_000, description="How far ahead the sendAt of a send may be")
    deliver_within: Milliseconds = Field(86_400_000, description="When an unsettled message becomes a dead letter")

    max_tries: int = Field(8, ge=1, le=100, description="Tries after which a message becomes a dead letter")
    backoff_base: Milliseconds = Field(500, description="First back-off; doubles with each try, drawn with full jitter")
    backoff_cap: Milliseconds = Field(300_000, description="Longest back-off")
    call_timeout: Milliseconds = Field(10_000, description="Longest wallet call in all")
    call_size: int = Field(20, ge=1, le=20, description="Most messages in one wallet call (R65)")
    calls_per_gateway: int = Field(
        256,
        ge=1,
        description="Most calls in flight to one gateway from one worker process: it begins with 32, and has more if "
        "that makes the gateway no slower",
    )
    fewest_calls_per_gateway: int = Field(
        4, ge=1, description="How many it has at least, when the gateway gets slower or fails"
    )
    waiting_per_gateway: int = Field(4_000, ge=20, description="Most deliveries waiting for one gateway in one process")
    breaker_failures: int = Field(
        5, ge=1, description="Calls in a row that must fail in one process before nobody calls the gateway for a while"
    )
    breaker_first: Milliseconds = Field(1_000, description="How long a breaker is open first; doubles with each time")
    breaker_longest: Milliseconds = Field(
        5_000,
        description="How long at most, unless the gateway asked for more; a gateway that is back is found by then",
    )
    callback_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (),
        description="Networks, such as 10.1.0.0/16,127.0.0.0/8, where merchants may be called back although they are "
        "not public, also without TLS; empty: public addresses by https alone",
    )
    callback_calls_per_merchant: int = Field(
        10, ge=1, le=1_000, description="Most callbacks on their way to one merchant at once, of all processes together"
    )
    callback_calls: int = Field(500, ge=1, le=10_000, description="Most callbacks on their way from one worker process")
    callback_timeout: Milliseconds = Field(15_000, description="Longest call of a merchant in all")
    callback_backoff_base: Milliseconds = Field(
        5_000, description="First back-off of a callback; doubles with each try, drawn with full jitter"
    )
    callback_backoff_cap: Milliseconds = Field(4 * 3_600_000, description="Longest back-off of a callback")
    callback_give_up: Milliseconds = Field(
        3 * 86_400_000, description="How long a callback is tried before it is a dead callback; retention ends it too"
    )
    slots: int = Field(2_000, ge=20, description="Most messages held by one process; a tenth is kept for each lane")
    drain_timeout: Milliseconds = Field(15_000, description="How long a stopping worker process finishes what it holds")
    watchdog: int = Field(
        7_000,
        ge=0,
        description="After how long a worker that takes no hints, or a child whose loop hangs, is recycled; 0: never",
    )

    log_format: Literal["json", "console"] = Field("json", description="json: an object a line; console: for people")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged"
    )

    @field_validator("clients", "app_rates", "introspection_members", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}")
        except ValueError:
            raise ValueError("is not JSON") from None

    @field_validator("callback_networks", mode="before")
    @classmethod
    def _networks_from_list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("introspection_url")
    @classmethod
    def _is_asked_over_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc):
            raise ValueError("must be a URL without a password in it, such as https://as.example/oauth2/introspect")
        return value

    @field_validator("signing_key_file", "introspection_secret_file")
    @classmethod
    def _the_same_wherever_a_part_runs(cls, value: str) -> str:
        return str(Path(value).absolute()) if value else value

    @field_validator("api_prefix")
    @classmethod
    def _prefix_is_a_path(cls, value: str) -> str:
        if value and (not value.startswith("/") or value.endswith("/")):
            raise ValueError("must begin with / and not end with it, such as /api/open")
        return value

    @field_validator("redis_url")
    @classmethod
    def _names_a_redis(cls, value: str) -> str:
        if value and not value.startswith(REDIS_SCHEMES):
            raise ValueError(f"must begin with {' or '.join(REDIS_SCHEMES)}, such as redis://localhost:6379/0")
        return value

    @field_validator("broker_url")
    @classmethod
    def _names_a_broker(cls, value: str) -> str:
        if value and "://" not in value:
            raise ValueError("must be a URL, such as redis://localhost:6379/1 or amqp://localhost")
        if value.startswith("sentinel://") and "master_name=" not in value:
            raise ValueError("must name the master, as in sentinel://host:26379/1?master_name=mymaster")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease < 2 * self.sweep_interval:
            raise ValueError(f"{PREFIX}LEASE must be at least twice {PREFIX}SWEEP_INTERVAL")
        if self.clients and self.signatures == "required":
            raise ValueError(
                f"{PREFIX}CLIENTS names clients without keys, who can't sign, so it can't be set with "
                f"{PREFIX}SIGNATURES=required; register them with tidings client add"
            )
        if self.introspection_url and not self.introspection_secret_file:
            raise ValueError(
                f"{PREFIX}INTROSPECTION_SECRET_FILE is required with {PREFIX}INTROSPECTION_URL: an authorization "
                "server tells nobody what a token grants who does not say who asks"
            )
        return self


def read_settings() -> Settings:
    """Read the environment; raise SettingsError naming every wrong setting and what it must be."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [_text(fault) for fault in error.errors(include_url=False, include_input=False)]
        raise SettingsError("wrong settings: " + "; ".join(faults)) from None


def _text(fault: ErrorDetails) -> str:
    reason = fault["msg"].removeprefix("Value error, ")
    name = ".".join(str(part) for part in fault["loc"]).upper()
    if fault["type"] == "int_parsing":
        field = Settings.model_fields.get(name.lower())
        reason = f"Input should be a whole number, such as {field.default if field else 50}"
    return f"{PREFIX}{name}: {reason}" if name else reason
