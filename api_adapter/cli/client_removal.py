"""`tidings client remove`: a caller is forgotten, once it was said what depends on it."""

from collections.abc import Mapping
from typing import Annotated

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, counted
from api_adapter.cli.removal import Yes, print_removal
from worker.contract.clients import RegisteredClient
from worker.settings import Settings

EPILOG = (
    "Examples:\n\ntidings client remove merchant-1\n\ntidings client remove merchant-1 --yes\n\n"
    "Exit code: 0 it is removed (or would be), 2 it is not registered."
)


def remove(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID", help="What the client sends as Client-Id.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a client with its keys, rate and addresses: API processes refuse it within a second.

    Without --yes only say what depends on it, by the settings of this command: give it those that the API processes
    have. What it had taken goes on, and is looked up by whoever else may send for
    the appId.
    """
    with told():

        async def main(services: Services) -> list[str]:
            known = await services.clients.all()
            if client_id not in known:
                raise ArgumentError("CLIENT_ID: is not registered; see tidings client list")
            found = consequences(client_id, known, services.settings)
            if yes and not await services.clients.remove(client_id):
                raise ArgumentError("CLIENT_ID: somebody else has just removed it")
            return found

        print_removal("clientId", client_id, run(main), yes=yes, as_json=as_json)


def consequences(client_id: str, known: Mapping[str, RegisteredClient], settings: Settings) -> list[str]:
    """Return what is so once a registered client is removed."""
    others = [client for name, client in known.items() if name != client_id]
    served = {app_id for client in others for app_id in client.app_ids}
    unregistered = {} if settings.signatures == "required" else settings.clients
    served |= {app_id for app_ids in unregistered.values() for app_id in app_ids}
    found = []
    if client_id in unregistered:
        found.append("TIDINGS_CLIENTS names it: it may call for the appIds there, without a key, rate and addresses")
    if not others and not unregistered and settings.signatures == "off":
        found.append("no client is left: ANYBODY MAY SEND FOR ANY appId; set TIDINGS_SIGNATURES=required before")
    elif not others and not unregistered:
        found.append("no client is left: nobody may call")
    else:
        found += [f"nobody else may send for {app_id}" for app_id in sorted(known[client_id].app_ids - served)]
    found.append("its keys are forgotten: registered again it begins with keyVersion 1")
    found.append(_said_by(settings))
    return found


def _said_by(settings: Settings) -> str:
    named = counted(len(settings.clients), "client")
    return (
        f"said by this command's own settings: TIDINGS_SIGNATURES={settings.signatures}, TIDINGS_CLIENTS with {named}; "
        "API processes that have others judge by those"
    )
