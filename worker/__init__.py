"""What goes out: the ledger of messages and the workers that deliver them. Knows nothing of HTTP in."""
