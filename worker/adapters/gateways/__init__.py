"""Wallets' gateways: the client that calls them, and a simulator that plays one."""
