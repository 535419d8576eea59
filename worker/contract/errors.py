"""Every error that tidings raises on purpose."""


class TidingsError(Exception):
    """Base of all errors raised on purpose; its text is fit for a user: it says what to do and holds no secret."""


class SettingsError(TidingsError):
    """A setting is missing or out of range; the text names its environment variable."""


class LedgerUnavailableError(TidingsError):
    """The ledger did not answer: nobody can say whether the operation happened. Repeating it is always safe."""


class LedgerMismatchError(TidingsError):
    """The ledger in this Redis was made with other fixed parameters (shards, schema), so starting is refused."""


class LedgerFaultError(LedgerUnavailableError):
    """A script of the ledger failed on what a record holds: trying the same chunk again would fail again."""


class BrokerUnavailableError(TidingsError):
    """The broker did not answer. Nothing is lost by it: hints fall due in the ledger."""


class ContractViolationError(TidingsError):
    """A request breaks the contract; `faults` are texts such as `$.appId: is required`."""

    def __init__(self, faults: list[str]) -> None:
        """Keep all faults; the error's text is all of them."""
        super().__init__("; ".join(faults))
        self.faults = faults
