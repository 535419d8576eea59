"""Exit codes that the processes of tidings agree on."""

RECYCLED = 75
"""A worker that lived and did not work ended itself: start it again (EX_TEMPFAIL of sysexits.h)."""
