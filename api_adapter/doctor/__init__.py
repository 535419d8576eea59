"""What `tidings doctor` looks at."""
