"""The `tidings` command."""

import typer

from api_adapter.cli import (
    batch,
    callbacks,
    clients,
    demo,
    dev,
    dlq,
    doctor,
    drill,
    ledger,
    lint,
    merchant,
    parts,
    reconcile,
    send,
    sign,
    status,
    templates,
    tokens,
    wallets,
)
from api_adapter.cli.help_texts import lay_out_help
from worker.adapters.telemetry.logs import configure_logs

app = typer.Typer(
    name="tidings",
    help="Send template messages to wallets' users as PUSH and INBOX, and prove what became of each.\n\n"
    "Start with `tidings demo`, or `tidings dev` for a stack that stays up. Settings are environment variables "
    "TIDINGS_...; see docs/settings.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.command("drill", epilog=drill.EPILOG)(drill.drill)
app.command("serve")(parts.serve)
app.command("worker")(parts.worker)
app.command("gateway")(parts.gateway)
app.add_typer(templates.app, name="template")
app.add_typer(wallets.app, name="wallet")
app.add_typer(tokens.app, name="token")
app.add_typer(clients.app, name="client")
app.add_typer(callbacks.app, name="callback")
app.add_typer(merchant.app, name="merchant")
app.add_typer(batch.app, name="batch")
app.command("send", epilog=send.EPILOG)(send.send)
app.command("lint", epilog=lint.EPILOG)(lint.lint)
app.command("sign", epilog=sign.EPILOG)(sign.sign)
app.command("status", epilog=status.EPILOG)(status.status)
app.command("reconcile", epilog=reconcile.EPILOG)(reconcile.reconcile)
app.add_typer(dlq.app, name="dlq")
app.add_typer(ledger.app, name="ledger")
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
lay_out_help(app)


def main() -> None:
    """Run the command line. Verbs speak for themselves; what they log goes to standard error, and only errors do."""
    configure_logs("console", "error")
    app()
