"""Calls to merchants over HTTP."""
