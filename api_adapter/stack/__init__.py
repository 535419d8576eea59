"""A whole stack on this machine: Valkey, HTTP API, worker and gateway simulator as processes, for `dev` and `demo`."""
