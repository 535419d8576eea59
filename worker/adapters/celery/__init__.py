"""Celery: carries hints from intake and sweepers to worker processes. No correctness rests on it (DESIGN)."""
