"""`tidings callback remove`: a registration is forgotten, once it was said what becomes of what waits."""

from typing import Annotated

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, counted
from api_adapter.cli.removal import Yes, print_removal

EPILOG = (
    "Examples:\n\ntidings callback remove 333301\n\ntidings callback remove 333301 --yes\n\n"
    "Exit code: 0 it is removed (or would be), 2 there is none."
)


def remove(
    app_id: Annotated[str, typer.Argument(metavar="APPID", help="Whose callback is forgotten.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a merchant's callback with its URL and secrets: workers call it no more after about a second.

    Without --yes only say what becomes of what waits. To keep URL and secrets: tidings callback disable.
    """
    with told():

        async def main(services: Services) -> list[str]:
            if app_id not in await services.callbacks.all():
                raise ArgumentError("APPID: has no callback; see tidings callback list")
            waiting = await services.callback_outbox.waiting(app_id)
            dead = len(await services.dead_callbacks.every(app_id))
            if yes and not await services.callbacks.remove(app_id):
                raise ArgumentError("APPID: somebody else has just removed it")
            return _consequences(app_id, waiting, dead)

        print_removal("appId", app_id, run(main), yes=yes, as_json=as_json)


def _consequences(app_id: str, waiting: int, dead: int) -> list[str]:
    also = f"{counted(waiting, 'callback')} {'waits' if waiting == 1 else 'wait'}: " if waiting else ""
    given_up = f", as {counted(dead, 'callback')} {'was' if dead == 1 else 'were'} before" if dead else ""
    replay = f"tidings callback dead replay --app-id {app_id} --yes"
    return [
        "its secrets are forgotten: put again it has a new one",
        "nobody is told what becomes of messages that are taken from about a second later on",
        f"{also}what waits, and what becomes final of earlier messages, is given up (REMOVED) in a minute{given_up}",
        f"to have that told after all, put it again, then: {replay}",
    ]
