"""`python -m api_adapter` is the `tidings` command."""

from api_adapter.cli.main import main

main()
