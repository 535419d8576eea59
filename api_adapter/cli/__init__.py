"""The `tidings` command, one module a group of verbs."""
