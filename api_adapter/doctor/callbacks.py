"""Whether merchants can be called back: by what is registered, its secrets, and what they did not take."""

from api_adapter.doctor.callback_addresses import address_findings
from worker.bootstrap import Services
from worker.callbacks.secrets import UnusableSecretError, Vault
from worker.contract.callbacks import CallbackRegistration
from worker.contract.findings import Finding, Severity


async def callback_findings(services: Services) -> list[Finding]:
    """Return what is wrong with callbacks, or how many are registered; raises LedgerUnavailableError.

    What is said of addresses is by this machine's name server and this command's settings.
    """
    registered = await services.callbacks.all()
    if not registered:
        return [Finding(Severity.OK, "none registered")]
    from worker.assembly import callback_poster  # noqa: PLC0415 - loads an HTTP client

    vault = services.vault
    found = [fault for app_id in sorted(registered) if (fault := _fault(registered[app_id], vault))]
    called = [registered[app_id] for app_id in sorted(registered) if registered[app_id].disabled is None]
    async with callback_poster(services.settings, services.clock) as poster:
        found += await address_findings(called, poster)
    dead = (await services.figures.read()).callbacks.dead.number
    if dead:
        advice = "see docs/runbooks/dead-callbacks.md; tidings callback dead ls"
        found.append(Finding(Severity.WARNING, f"{dead:,} were given up", advice))
    return found or [Finding(Severity.OK, f"{len(registered)} registered")]


def _fault(registration: CallbackRegistration, vault: Vault) -> Finding | None:
    app_id = registration.app_id
    if registration.disabled is not None:
        what = f"{app_id}'s is disabled: {registration.disabled.reason}"
        return Finding(
            Severity.WARNING, what, f"enable it once its receiver is right: tidings callback enable {app_id}"
        )
    try:
        for secret in registration.secrets:
            vault.open(app_id, secret.sealed)
    except UnusableSecretError as error:
        _, _, advice = str(error).partition("; ")
        return Finding(Severity.ERROR, f"{app_id}'s secret can't be read, so it is not called back", advice)
    return None
