"""`tidings doctor`: whether everything is in order, and what to do where it is not."""

from collections.abc import Sequence

import typer

from api_adapter.cli.context import run_anyway, told
from api_adapter.cli.printing import AsJson, harmless, print_json
from api_adapter.cli.saying import say
from api_adapter.doctor.checks import Checked, Patient, examine
from worker.contract.errors import SettingsError, TidingsError
from worker.contract.findings import Finding, Severity

EPILOG = (
    "Example:\n\ntidings doctor --json\n\nExit code: 0 all is in order, or there are warnings only; 1 there are errors."
)
EXIT_ERRORS = 1


def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, authorization server, ledger, durability, templates, wallets, gateways, broker and workers.

    A line says ok, warning or error, what was seen, and what to do. Nothing is sent and nobody's message is touched. A
    Redis without a ledger becomes one, as with every command. Passwords in URLs are not shown.
    """
    with told():
        checked = _examined()
    if as_json:
        print_json(_json(checked))
    else:
        width = max(len(check.name) for check in checked)
        for line in _lines(checked, width):
            say(line, hanging=len(Severity.WARNING) + width + 4)
    raise typer.Exit(EXIT_ERRORS if _worst(checked) is Severity.ERROR else 0)


def _examined() -> Sequence[Checked]:
    try:
        return run_anyway(lambda settings, addresses, services: examine(Patient(settings, addresses, services)))
    except SettingsError as error:
        return [Checked("settings", (Finding(Severity.ERROR, str(error), "see docs/settings.md"),))]
    except TidingsError as error:  # the embedded Valkey can't be had
        return [Checked("ledger", (Finding(Severity.ERROR, str(error)),))]


def _worst(checked: Sequence[Checked]) -> Severity:
    found = {finding.severity for check in checked for finding in check.findings}
    return next((severity for severity in (Severity.ERROR, Severity.WARNING) if severity in found), Severity.OK)


def _lines(checked: Sequence[Checked], width: int) -> list[str]:
    return [
        f"{finding.severity:<{len(Severity.WARNING)}}  {check.name:<{width}}  {harmless(finding.what)}"
        + (f"; {harmless(finding.advice)}" if finding.advice else "")
        for check in checked
        for finding in check.findings
    ]


def _json(checked: Sequence[Checked]) -> dict[str, object]:
    return {
        "status": _worst(checked),
        "checks": [
            {"name": check.name, "findings": [finding._asdict() for finding in check.findings]} for check in checked
        ],
    }
