"""The ledger and its neighbours in Redis (or Valkey) 7 and newer. `keys` is the map of every key."""
