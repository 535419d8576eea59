"""Access tokens resolved by the authorization server that issued them: RFC 7662, token introspection (CONTRACT R64)."""
