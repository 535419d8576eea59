"""`tidings drill`: faults, played on a stack of its own."""
