"""What `tidings demo` plays on a stack: notices, gateway faults, and the proof of what became of each."""
