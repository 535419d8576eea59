"""Whether anything is known of what an operator names: a pause of a misspelt appId keeps nothing from being sent."""

from api_adapter.cli.context import Services
from api_adapter.cli.saying import say_aside
from worker.contract.cancellations import Standing
from worker.contract.origins import Origin

_UNKNOWN = ("no message, client, callback or setting has this appId", "no message and no batch job has this batchId")


async def is_known(services: Services, origin: Origin, standing: Standing) -> bool:
    """Return whether a message, a batch job, a client, a callback or a setting has this appId, or this batch."""
    if standing.backlogged or standing.due or standing.scheduled:
        return True
    if origin.batch_id:
        (tally,) = await services.batches.tallies([origin])
        return tally.taken > 0 or await services.batch_jobs.find(origin) is not None
    return origin.app_id in await _named_apps(services)


def note_unknown(origin: Origin, then: str) -> None:
    """Say on standard error that nothing is known of what was named, and what follows."""
    say_aside(f"note: {_UNKNOWN[bool(origin.batch_id)]}; {then}")


async def _named_apps(services: Services) -> set[str]:
    settings = services.settings
    clients = (await services.clients.all()).values()
    figures = await services.figures.read()
    return {
        *(app_id for client in clients for app_id in client.app_ids),
        *(app_id for app_ids in settings.clients.values() for app_id in app_ids),
        *settings.app_rates,
        *await services.callbacks.all(),
        *(app_id for app_id, _ in figures.tallies),
    }
