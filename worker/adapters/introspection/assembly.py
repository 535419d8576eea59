"""Puts the parts together that ask an authorization server, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from worker.adapters.introspection.answers import AnswerReader
from worker.adapters.introspection.cache import CacheLimits
from worker.adapters.introspection.client import Credentials, IntrospectionClient
from worker.adapters.introspection.examination import introspection_finding
from worker.adapters.introspection.line import LineLimits
from worker.adapters.introspection.users import IntrospectedUsers, IntrospectionLimits
from worker.breaking import BreakerLimits
from worker.contract.errors import SettingsError
from worker.contract.findings import Finding
from worker.ports import Clock
from worker.settings import PREFIX, Settings


@asynccontextmanager
async def introspected_users(settings: Settings, clock: Clock) -> AsyncIterator[IntrospectedUsers]:
    """Give what resolves tokens on one asyncio loop; raises SettingsError where the secret can't be read."""
    client = _client(settings)
    users = IntrospectedUsers(client.ask, _reader(settings), clock, _limits(settings))
    try:
        yield users
    finally:
        await users.close()
        await client.close()


async def examine_introspection(settings: Settings) -> Finding:
    """Ask the authorization server once, and say what is right or wrong; raises SettingsError as above."""
    client = _client(settings)
    try:
        return await introspection_finding(settings.introspection_url, client, _reader(settings))
    finally:
        await client.close()


def _client(settings: Settings) -> IntrospectionClient:
    credentials = Credentials(settings.introspection_client_id, _secret(settings))
    return IntrospectionClient(
        settings.introspection_url, credentials, settings.introspection_timeout, settings.introspection_calls
    )


def _secret(settings: Settings) -> str:
    name = f"{PREFIX}INTROSPECTION_SECRET_FILE"
    try:
        secret = Path(settings.introspection_secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{name}: can't be read ({reason})") from None
    if not secret.isascii() or not secret.isprintable() or not secret:
        raise SettingsError(f"{name}: must hold the secret and nothing else, one line of ASCII")
    return secret


def _reader(settings: Settings) -> AnswerReader:
    return AnswerReader(settings.introspection_members, settings.introspection_wallet, settings.introspection_scope)


def _limits(settings: Settings) -> IntrospectionLimits:
    return IntrospectionLimits(
        line=LineLimits(
            calls=settings.introspection_calls,
            timeout=settings.introspection_timeout,
            breaker=BreakerLimits(settings.breaker_failures, settings.breaker_first),
            breaker_longest=settings.breaker_longest,
        ),
        cache=CacheLimits(settings.introspection_ttl, settings.introspection_cache),
    )
