"""What is known of templates, users, wallets, callers and callbacks, as Protocols."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from worker.contract.callbacks import CallbackRegistration
from worker.contract.clients import RegisteredClient
from worker.contract.templates import TemplateVersion
from worker.contract.users import TokenGrant, Unresolved, Wallet


class Templates(Protocol):
    """Template versions."""

    async def live(self, codes: Sequence[str]) -> dict[str, TemplateVersion]:
        """Return the live version of each code that exists."""
        ...

    async def version(self, code: str, version: int) -> TemplateVersion | None:
        """Return one version, or None."""
        ...


class TemplateCatalogue(Templates, Protocol):
    """What clients may see of the templates. Raises LedgerUnavailableError when the store did not answer."""

    async def published(self, code: str, version: int) -> TemplateVersion | None:
        """Return a version that is live or was so once; None for a draft, as for one that is not there."""
        ...

    async def codes(self) -> Sequence[str]:
        """Return the codes of all templates that have a live version, sorted."""
        ...


class Users(Protocol):
    """Resolves access tokens."""

    async def resolve(self, tokens: Sequence[str]) -> Sequence[TokenGrant | Unresolved | None]:
        """Return what each token grants, None for an unknown one, in order.

        Raises LedgerUnavailableError when the store of all tokens did not answer.
        """
        ...


class Wallets(Protocol):
    """The super apps that users belong to."""

    async def all(self) -> Mapping[str, Wallet]:
        """Return every wallet by its name."""
        ...


class ClientRegistry(Protocol):
    """The callers that are registered. Raises LedgerUnavailableError when it did not answer."""

    async def all(self) -> Mapping[str, RegisteredClient]:
        """Return every client by its Client-Id."""
        ...


class CallbackRegistry(Protocol):
    """Where merchants want to be called back. Raises LedgerUnavailableError when it did not answer."""

    async def all(self) -> Mapping[str, CallbackRegistration]:
        """Return every registration by its appId."""
        ...

    async def disable(self, app_id: str, url: str, reason: str) -> None:
        """Tell a merchant nothing any more, unless it registered another URL since."""
        ...
