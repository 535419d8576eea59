"""The ledger and its neighbours in Redis (or Valkey) 7 and newer. Keys: `keys`, `job_keys` and `registry_keys`."""
