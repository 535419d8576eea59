"""Template versions in memory."""

from collections.abc import Sequence

from tests.fakes.outage import Outage
from worker.contract.errors import LedgerMismatchError
from worker.contract.templates import TemplateVersion


class FakeTemplates(Outage):
    """Implements `registry_ports.TemplateCatalogue`: the highest version of a code is its live one."""

    def __init__(self, *versions: TemplateVersion) -> None:
        """Hold these versions; `versions` may be changed later."""
        self.unreadable: set[str] = set()
        """Codes whose stored content another release wrote: asking for them raises LedgerMismatchError."""
        self.versions = {(version.code, version.version): version for version in versions}
        self.drafts: dict[tuple[str, int], TemplateVersion] = {}

    async def live(self, codes: Sequence[str]) -> dict[str, TemplateVersion]:
        """Return the live version of each code that exists."""
        self.answer()
        self._read(codes)
        return {code: self.versions[code, number] for code, number in sorted(self.versions) if code in codes}

    async def version(self, code: str, version: int) -> TemplateVersion | None:
        """Return one version, or None."""
        self.answer()
        self._read([code])
        return self.versions.get((code, version)) or self.drafts.get((code, version))

    async def published(self, code: str, version: int) -> TemplateVersion | None:
        """Return one version that is no draft, or None."""
        self.answer()
        self._read([code])
        return self.versions.get((code, version))

    async def codes(self) -> Sequence[str]:
        """Return the codes of all templates that have a live version, sorted."""
        self.answer()
        return sorted({code for code, _ in self.versions})

    def _read(self, codes: Sequence[str]) -> None:
        if self.unreadable.intersection(codes):
            raise LedgerMismatchError("the fake template is unreadable; take its code from `unreadable`")
