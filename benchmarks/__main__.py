"""`make bench`: the figures of the README."""

from benchmarks.main_job import main

main()
