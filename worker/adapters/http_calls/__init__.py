"""POST over HTTP/1.1, lean and strict: what calls wallets' gateways, at each message."""
