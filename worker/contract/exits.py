"""Exit codes that the processes of tidings agree on."""

UNUSABLE = 2
"""A setting can't be used, or does not fit the ledger: to be started again once it was mended."""
RECYCLED = 75
"""A worker that lived and did not work ended itself: start it again (EX_TEMPFAIL of sysexits.h)."""
