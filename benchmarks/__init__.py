"""Figures, each from one command; see docs/performance.md."""
