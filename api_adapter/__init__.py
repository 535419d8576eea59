"""What comes in: the HTTP API, the command line and the intake function that both call. Depends on `worker`."""
