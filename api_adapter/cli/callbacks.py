"""`tidings callback`: where merchants are told what became of their messages, and with which secrets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from api_adapter.cli import callback_receive, callback_removal, callbacks_dead
from api_adapter.cli.arguments import ArgumentError, overlap
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, print_json, utc
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.tables import show_table
from worker.assembly import callback_poster
from worker.callbacks.addresses import UnfitUrlError, may_be_called, target_of
from worker.callbacks.events import callback_test
from worker.callbacks.secrets import new_secret
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import succeeded
from worker.contract import field_types
from worker.contract.callbacks import EVERY_OUTCOME, CallbackRegistration, Disabled, Outcomes, SealedSecret
from worker.contract.codes import ResultStatus
from worker.settings import Settings

app = typer.Typer(
    help="Tell merchants what became of their messages: a POST to a URL of theirs, signed by Standard Webhooks.",
    no_args_is_help=True,
)
app.add_typer(callbacks_dead.app, name="dead")
app.command("receive", epilog=callback_receive.EPILOG)(callback_receive.receive)
app.command("remove", epilog=callback_removal.EPILOG)(callback_removal.remove)

EXIT_REFUSED = 1
_BY_HAND = "by hand"
_DEFAULT_OVERLAP = "1d"
_FAILED_TEST = "what that means, and what to do, is in docs/runbooks/dead-callbacks.md"

AppId = Annotated[str, typer.Argument(metavar="APPID", help="Whose messages it is about.")]


@app.command(
    epilog="Examples:\n\ntidings callback put 333301 --url https://shop.example/tidings\n\n"
    "tidings callback put 333301 --url https://shop.example/tidings --outcomes FU",
)
def put(
    app_id: AppId,
    *,
    url: Annotated[
        str, typer.Option(help="Where callbacks go: https, and in public networks, unless the settings allow.")
    ],
    outcomes: Annotated[str, typer.Option(help="Which outcomes are told, such as FU for all but deliveries.")] = "SFU",
) -> None:
    """Register a merchant's callback, and print the secret that it verifies callbacks with: now, and never again.

    What is taken from about a second from now on is told when it is final. Put again, URL and outcomes are replaced,
    the secrets stay, and a callback that was disabled is enabled.
    """
    with told():
        _check_app_id(app_id)
        wanted = _outcomes(outcomes)

        async def main(services: Services) -> tuple[CallbackRegistration, str | None]:
            _check_url(url, services.settings)
            secret = new_secret()
            first = (SealedSecret(services.vault.seal(app_id, secret)),)

            def changed(known: CallbackRegistration | None) -> CallbackRegistration:
                return CallbackRegistration(app_id, url, wanted, known.secrets if known else first)

            stored = await services.callbacks.change(app_id, changed)
            return stored, secret if stored.secrets == first else None

        registration, secret = run(main)
        say(_described(registration))
        if secret is not None:
            _show(secret)
        else:
            say_aside(f"its secrets stay; for a newer one: tidings callback rotate {app_id}")


@app.command(
    epilog="Examples:\n\ntidings callback rotate 333301\n\ntidings callback rotate 333301 --old-secrets-end-in 0s",
)
def rotate(
    app_id: AppId,
    *,
    old_secrets_end_in: Annotated[
        str,
        typer.Option(metavar="DURATION", help="How long callbacks are signed with the older secrets too; 0s: no more."),
    ] = _DEFAULT_OVERLAP,
) -> None:
    """Make a newer secret and print it: now, and never again. Meanwhile callbacks carry a signature with each."""
    with told():
        span = _overlap(old_secrets_end_in)

        async def main(services: Services) -> str:
            secret, now = new_secret(), services.clock.now()
            sealed = services.vault.seal(app_id, secret)
            await services.callbacks.change(app_id, _known(lambda known: known.rotated(sealed, now, span)))
            return secret

        _show(run(main))


@app.command(epilog="Example:\n\ntidings callback disable 333301")
def disable(app_id: AppId) -> None:
    """Tell a merchant nothing any more. What waits is given up; see `tidings callback dead`."""
    with told():

        async def main(services: Services) -> CallbackRegistration:
            since = Disabled(services.clock.now(), _BY_HAND)
            return await services.callbacks.change(app_id, _known(lambda known: known.disabled_by(since)))

        say(_described(run(main)))


@app.command(epilog="Example:\n\ntidings callback enable 333301")
def enable(app_id: AppId) -> None:
    """Tell a merchant again what becomes final of what is taken from now on."""
    with told():

        async def main(services: Services) -> CallbackRegistration:
            return await services.callbacks.change(app_id, _known(lambda known: replace(known, disabled=None)))

        say(_described(run(main)))


@app.command("list", epilog="Example:\n\ntidings callback list --json")
def list_callbacks(*, as_json: AsJson = False) -> None:
    """List every callback: its URL, its outcomes, and whether it is enabled; never a secret."""
    with told():
        known = run(lambda services: services.callbacks.all())
        registrations = [known[app_id] for app_id in sorted(known)]
        if as_json:
            print_json([_json(one) for one in registrations])
        elif registrations:
            show_table(("App", "URL", "Outcomes", "State", "Secrets"), map(_row, registrations))
        else:
            say("no callbacks yet: see tidings callback put --help")


@app.command(epilog="Example:\n\ntidings callback test 333301\n\nExit code: 0 it was taken, 1 it was not.")
def test(app_id: AppId) -> None:
    """Send a merchant a callback of type callback.test from this machine, and say what it answered."""
    with told():

        async def main(services: Services) -> tuple[str, bool]:
            registration = _registered((await services.callbacks.all()).get(app_id))
            now = services.clock.now()
            body = callback_test(app_id, now)
            headers = CallbackSigner(services.vault, services.clock).headers(registration, f"test_{now}", body)
            async with callback_poster(services.settings, services.clock) as poster:
                reply = await poster.post(registration.url, headers, body)
            return reply.detail, succeeded(reply)

        detail, taken = run(main)
        say(f"{app_id}: {detail}")
        if not taken:
            say_aside(_FAILED_TEST)
        raise typer.Exit(0 if taken else EXIT_REFUSED)


def _known(
    changed: Callable[[CallbackRegistration], CallbackRegistration],
) -> Callable[[CallbackRegistration | None], CallbackRegistration]:
    return lambda registration: changed(_registered(registration))


def _registered(registration: CallbackRegistration | None) -> CallbackRegistration:
    if registration is None:
        raise ArgumentError("APPID: has no callback; see tidings callback put --help")
    return registration


def _check_app_id(text: str) -> None:
    try:
        TypeAdapter[str](field_types.AppId).validate_python(text)
    except ValidationError:
        raise ArgumentError("APPID: must be 1 to 32 characters, without @, #, ? and white space") from None


def _check_url(url: str, settings: Settings) -> None:
    try:
        target = target_of(url)
    except UnfitUrlError as error:
        raise ArgumentError(f"--url: {error}") from None
    if target.address is not None and not may_be_called(target.address, target.scheme, settings.callback_networks):
        raise ArgumentError(
            "--url: leads to an address that is not public; TIDINGS_CALLBACK_NETWORKS names what is allowed beside"
        )
    if target.scheme != "https" and not settings.callback_networks:
        raise ArgumentError(
            "--url: must be https; http is for networks that TIDINGS_CALLBACK_NETWORKS names, of workers too"
        )


def _outcomes(text: str) -> Outcomes:
    try:
        wanted = frozenset(map(ResultStatus, text))
    except ValueError:
        wanted = frozenset()
    if not wanted <= EVERY_OUTCOME or not wanted or len(wanted) != len(text):
        raise ArgumentError("--outcomes: must be some of S, F and U, each once, such as FU")
    return wanted


def _overlap(old_secrets_end_in: str) -> int:
    try:
        return overlap(old_secrets_end_in)
    except ArgumentError as error:
        raise ArgumentError(f"--old-secrets-end-in: {error}") from None


def _show(secret: str) -> None:
    typer.echo(f"secret: {secret}")
    say_aside("keep it: it is shown this once")


def _described(registration: CallbackRegistration) -> str:
    return f"{registration.app_id}: {_told(registration)} to {registration.url}, {_state(registration)}"


def _told(registration: CallbackRegistration) -> str:
    return "".join(status for status in ResultStatus if status in registration.outcomes)


def _state(registration: CallbackRegistration) -> str:
    disabled = registration.disabled
    return "enabled" if disabled is None else f"disabled {utc(disabled.at)}: {disabled.reason}"


def _secrets(registration: CallbackRegistration) -> str:
    ends = [f"until {utc(secret.ends_at)}" for secret in registration.secrets if secret.ends_at is not None]
    return ", ".join([*ends, "newest"])


def _row(registration: CallbackRegistration) -> tuple[str | Text, ...]:
    state = Text(_state(registration), "red" if registration.disabled else "green")
    return registration.app_id, registration.url, _told(registration), state, _secrets(registration)


def _json(registration: CallbackRegistration) -> dict[str, object]:
    disabled = registration.disabled
    return {
        "appId": registration.app_id,
        "url": registration.url,
        "outcomes": _told(registration),
        "disabledAt": disabled.at if disabled else None,
        "disabledBecause": disabled.reason if disabled else None,
        "secrets": [{"endsAt": secret.ends_at} for secret in registration.secrets],
    }
