"""Signs callbacks with the secrets of their merchants, as far as this process can open them."""

import structlog

from worker.callbacks.events import signed_headers
from worker.callbacks.secrets import UnusableSecretError, Vault
from worker.contract.callbacks import CallbackRegistration
from worker.ports import Clock

log = structlog.get_logger(__name__)


class CallbackSigner:
    """Gives the headers of calls."""

    def __init__(self, vault: Vault | None, clock: Clock) -> None:
        """Keep the vault; without one, nothing can be signed."""
        self._vault = vault
        self._clock = clock
        self._said: set[str] = set()

    def headers(self, registration: CallbackRegistration, id_: str, body: bytes) -> dict[str, str]:
        """Return the signed headers of a call that is made now; raise UnusableSecretError."""
        now = self._clock.now()
        return signed_headers(id_, body, self._secrets(registration, now), now)

    def can_sign(self, registration: CallbackRegistration) -> bool:
        """Return whether it can sign for a merchant; say once where it can't."""
        app_id = registration.app_id
        try:
            self._secrets(registration, self._clock.now())
        except UnusableSecretError as error:
            if app_id not in self._said:
                log.warning("callbacks_can_not_be_signed", app_id=app_id, reason=str(error))
            self._said.add(app_id)
            return False
        self._said.discard(app_id)
        return True

    def _secrets(self, registration: CallbackRegistration, now: int) -> list[str]:
        if self._vault is None:
            raise UnusableSecretError("TIDINGS_TOKEN_SECRET: is required of whoever calls merchants back")
        return [self._vault.open(registration.app_id, secret.sealed) for secret in registration.valid_secrets(now)]
