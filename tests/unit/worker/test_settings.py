import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from worker.contract.errors import SettingsError
from worker.contract.introspection import MemberNames
from worker.settings import PREFIX, Settings, read_settings

NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation is int]
SECRET = "s3cr3t-value-of-somebody"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def fault(monkeypatch: pytest.MonkeyPatch, **wrong: str) -> str:
    for name, value in wrong.items():
        monkeypatch.setenv(PREFIX + name.upper(), value)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    return str(refused.value)


def test_without_any_variable_the_settings_are_usable() -> None:
    settings = read_settings()

    assert settings.redis_url == ""
    assert settings.lease >= 2 * settings.sweep_interval
    assert settings.call_size == 20


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_REDIS_URL", "redis://ledger.test/0")
    monkeypatch.setenv("TIDINGS_SLOTS", "40")
    monkeypatch.setenv("TIDINGS_DATA_DIR", "/var/lib/tidings")
    monkeypatch.setenv("TIDINGS_CLIENTS", '{"merchant-1": ["app-1", "app-2"], "merchant-2": []}')
    monkeypatch.setenv("TIDINGS_API_PREFIX", "/api/open")

    settings = read_settings()

    assert settings.redis_url == "redis://ledger.test/0"
    assert settings.slots == 40
    assert settings.data_dir == Path("/var/lib/tidings")
    assert settings.clients == {"merchant-1": ("app-1", "app-2"), "merchant-2": ()}
    assert settings.api_prefix == "/api/open"


def test_importing_the_settings_reads_no_environment() -> None:
    program = "import worker.settings, worker.bootstrap, worker.celery"

    run = subprocess.run([sys.executable, "-c", program], env={"TIDINGS_SLOTS": "wrong"}, check=False)

    assert run.returncode == 0


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["many", "", "1.5", "-1"])
def test_every_number_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert f"{PREFIX}{name.upper()}: Input should be " in fault(monkeypatch, **{name: value})


CENTURY = 36_500 * 86_400_000
DURATIONS = [
    *("introspection_timeout", "introspection_ttl", "request_skew", "head_timeout", "body_timeout"),
    *("lease", "grace", "longest_grace", "sweep_interval", "retention", "schedule_ahead", "deliver_within"),
    *("backoff_base", "backoff_cap", "call_timeout", "breaker_first", "breaker_longest", "drain_timeout"),
    *("callback_timeout", "callback_backoff_base", "callback_backoff_cap", "callback_give_up"),
]
COUNTS = [
    *("introspection_calls", "introspection_cache", "window_single", "window_bulk", "waiting_per_merchant"),
    *("calls_per_gateway", "fewest_calls_per_gateway", "breaker_failures"),
]
BOUNDS: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(DURATIONS, (1, CENTURY)),
    **dict.fromkeys(COUNTS, (1, None)),
    "signing_key_version": (1, 999_999_999),
    "api_port": (0, 65_535),
    "gateway_port": (0, 65_535),
    "shards": (1, 1_024),
    "sweep_size": (1, 5_000),
    "max_tries": (1, 100),
    "call_size": (1, 20),
    "waiting_per_gateway": (20, None),
    "slots": (20, None),
    "callback_calls_per_merchant": (1, 1_000),
    "callback_calls": (1, 10_000),
    "watchdog": (0, None),
}
"""The least and the most that each number may be."""
LIMITS = [
    (name, edge, outside)
    for name, (least, most) in BOUNDS.items()
    for edge, outside in [(least, least - 1), *([(most, most + 1)] if most is not None else [])]
]


def test_every_number_has_its_bounds_tried() -> None:
    assert set(BOUNDS) == set(NUMBERS)


@pytest.mark.parametrize(("name", "edge", "outside"), LIMITS)
def test_a_number_is_taken_at_its_bounds_and_named_beyond(
    monkeypatch: pytest.MonkeyPatch, name: str, edge: int, outside: int
) -> None:
    inside = edge + 1 if outside < edge else edge - 1
    # Two settings that are bound to each other as well, which other tests are about.
    usual = {"sweep_interval": 1} if name == "lease" else {"lease": CENTURY} if name == "sweep_interval" else {}
    for value in (edge, inside):
        if (name, value) not in {("lease", 1), ("sweep_interval", CENTURY), ("sweep_interval", CENTURY - 1)}:
            assert getattr(Settings(**{**usual, name: value}), name) == value  # type: ignore[arg-type]

    assert f"{PREFIX}{name.upper()}: Input should be " in fault(monkeypatch, **{name: str(outside)})


@pytest.mark.parametrize(("length", "is_taken"), [(63, True), (64, True), (65, False)])
def test_R11_a_wallet_of_introspected_users_has_at_most_64_characters(
    monkeypatch: pytest.MonkeyPatch,
    length: int,
    is_taken: bool,  # noqa: FBT001
) -> None:
    if is_taken:
        assert Settings(introspection_wallet="w" * length).introspection_wallet == "w" * length
    else:
        assert "TIDINGS_INTROSPECTION_WALLET: " in fault(monkeypatch, introspection_wallet="w" * length)


def test_a_scope_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(introspection_scope="s").introspection_scope == "s"
    assert "TIDINGS_INTROSPECTION_SCOPE: " in fault(monkeypatch, introspection_scope="")


@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        ("log_format", "xml", "'json' or 'console'"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("extend_info_object", "maybe", "'refuse' or 'allow'"),
    ],
)
def test_an_unknown_choice_is_named_with_its_choices(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    choices: str,
) -> None:
    assert fault(monkeypatch, **{name: value}) == f"wrong settings: {PREFIX}{name.upper()}: Input should be {choices}"


@pytest.mark.parametrize("value", ["api/open", "/api/open/", "/", "open"])
def test_a_prefix_that_is_no_path_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert fault(monkeypatch, api_prefix=value) == (
        "wrong settings: TIDINGS_API_PREFIX: must begin with / and not end with it, such as /api/open"
    )


def test_a_sentinel_broker_must_name_its_master(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault(monkeypatch, broker_url="sentinel://one.test:26379/1") == (
        "wrong settings: TIDINGS_BROKER_URL: must name the master, as in sentinel://host:26379/1?master_name=mymaster"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("merchant-1", "TIDINGS_CLIENTS: is not JSON"),
        ("[]", "TIDINGS_CLIENTS: Input should be a valid dictionary"),
        ('{"m": "app"}', "TIDINGS_CLIENTS.M: Input should be a valid tuple"),
        ('{"m": [1]}', "TIDINGS_CLIENTS.M.0: Input should be a valid string"),
    ],
)
def test_clients_that_are_no_lists_of_app_ids_are_named(
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    text: str,
) -> None:
    assert fault(monkeypatch, clients=value) == f"wrong settings: {text}"


def test_no_clients_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_CLIENTS", "")

    assert read_settings().clients == {}


def test_clients_may_be_given_as_they_are() -> None:
    assert Settings(clients={"m": ("app",)}).clients == {"m": ("app",)}


def test_a_lease_too_short_for_its_sweeps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "wrong settings: TIDINGS_LEASE must be at least twice TIDINGS_SWEEP_INTERVAL"

    assert fault(monkeypatch, lease="1999", sweep_interval="1000") == text


def test_a_lease_of_two_sweeps_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_LEASE", "2000")
    monkeypatch.setenv("TIDINGS_SWEEP_INTERVAL", "1000")

    assert read_settings().lease == 2_000


def test_all_wrong_settings_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    text = fault(monkeypatch, shards="0", log_format="xml", api_prefix="x")

    assert all(name in text for name in ("TIDINGS_SHARDS: ", "TIDINGS_LOG_FORMAT: ", "TIDINGS_API_PREFIX: "))


def test_a_wrong_value_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    text = fault(monkeypatch, **dict.fromkeys((*NUMBERS, "log_format", "clients", "api_prefix"), SECRET))

    assert SECRET not in text


def test_the_secret_is_in_no_representation_of_the_settings() -> None:
    settings = Settings(token_secret=SecretStr(SECRET))

    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


def test_settings_are_never_changed_after_the_start() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_settings().shards = 1  # type: ignore[misc]


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TIDINGS_LEASE", "6s", "TIDINGS_LEASE: Input should be a whole number, such as 6000"),
        ("TIDINGS_REDIS_URL", "localhost:6379", "TIDINGS_REDIS_URL: must begin with redis://"),
        ("TIDINGS_BROKER_URL", "localhost", "TIDINGS_BROKER_URL: must be a URL"),
    ],
)
def test_a_wrong_setting_is_told_with_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=reason):
        read_settings()


def test_R20_clients_without_keys_are_refused_where_signatures_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    text = fault(monkeypatch, clients='{"m": ["app"]}', signatures="required")

    assert text.startswith("wrong settings: TIDINGS_CLIENTS names clients without keys")


@pytest.mark.parametrize("value", ["on", "", "REQUIRED"])
def test_R22_signatures_are_off_or_required(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "TIDINGS_SIGNATURES: Input should be 'off' or 'required'" in fault(monkeypatch, signatures=value)


@pytest.mark.parametrize("value", ["0", "-1"])
def test_R21_the_skew_is_positive(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "TIDINGS_REQUEST_SKEW: " in fault(monkeypatch, request_skew=value)


def test_the_file_of_the_signing_key_is_the_same_wherever_a_part_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_SIGNING_KEY_FILE", "server.pem")

    assert read_settings().signing_key_file == str(Path.cwd() / "server.pem")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("50", "Input should be a valid dictionary"),
        ('{"333301": 0}', "Input should be greater than or equal to 1"),
        ('{"333301": "many"}', "TIDINGS_APP_RATES.333301: Input should be a whole number, such as 50"),
        ("{", "is not JSON"),
    ],
)
def test_R36_rates_of_apps_that_are_no_numbers_are_named(
    monkeypatch: pytest.MonkeyPatch, value: str, rule: str
) -> None:
    assert rule in fault(monkeypatch, app_rates=value)


def test_R36_rates_of_apps_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_APP_RATES", '{"333301": 1, "*": 50}')

    assert read_settings().app_rates == {"333301": 1, "*": 50}


@pytest.mark.parametrize("url", ["as.test/introspect", "ftp://as.test", "https://", "https://tidings:hush@as.test/"])
def test_R64_an_introspection_url_is_one_of_http_without_a_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert fault(monkeypatch, introspection_url=url) == (
        "wrong settings: TIDINGS_INTROSPECTION_URL: must be a URL without a password in it, such as "
        "https://as.example/oauth2/introspect"
    )


def test_R64_an_authorization_server_is_asked_with_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    text = fault(monkeypatch, introspection_url="https://as.test/introspect")

    assert text.startswith(
        "wrong settings: TIDINGS_INTROSPECTION_SECRET_FILE is required with TIDINGS_INTROSPECTION_URL"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("wallet", "TIDINGS_INTROSPECTION_MEMBERS: is not JSON"),
        ('{"walet": "w"}', "TIDINGS_INTROSPECTION_MEMBERS.WALET: Extra inputs are not permitted"),
        ('{"wallet": 1}', "TIDINGS_INTROSPECTION_MEMBERS.WALLET: Input should be a valid string"),
    ],
)
def test_R64_names_of_members_that_can_not_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, value: str, text: str
) -> None:
    assert fault(monkeypatch, introspection_members=value) == f"wrong settings: {text}"


def test_R64_members_that_are_not_named_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_INTROSPECTION_MEMBERS", '{"wallet": "/ext/wallet"}')

    assert read_settings().introspection_members == MemberNames(wallet="/ext/wallet")
