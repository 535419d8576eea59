"""The `tidings` command."""

import typer

from api_adapter.cli import parts, templates

app = typer.Typer(
    name="tidings",
    help="Send template messages to wallets' users as PUSH and INBOX, and prove what became of each.\n\n"
    "Start with `tidings demo`, or `tidings dev` for a stack that stays up. Settings are environment variables "
    "TIDINGS_...; see the README.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(parts.serve)
app.command("worker")(parts.worker)
app.command("gateway")(parts.gateway)
app.add_typer(templates.app, name="template")


def main() -> None:
    """Run the command line."""
    app()
