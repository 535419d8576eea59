"""The outside world: each package implements ports with one technology."""
