"""Access tokens in memory."""

from collections.abc import Mapping, Sequence

from tests.fakes.outage import Outage
from worker.contract.users import TokenGrant, Unresolved


class FakeUsers(Outage):
    """Implements `registry_ports.Users`."""

    def __init__(self, grants: Mapping[str, TokenGrant | Unresolved] | None = None) -> None:
        """Hold what each token grants; `grants` may be changed later."""
        self.grants = dict(grants or {})

    async def resolve(self, tokens: Sequence[str]) -> list[TokenGrant | Unresolved | None]:
        """Return what each token grants, None for an unknown one, in order."""
        self.answer()
        return [self.grants.get(token) for token in tokens]
