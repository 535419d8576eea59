"""Template versions in memory."""

from collections.abc import Sequence

from worker.contract.templates import TemplateVersion


class FakeTemplates:
    """Implements `ports.Templates`: the highest version of a code is its live one."""

    def __init__(self, *versions: TemplateVersion) -> None:
        """Hold these versions; `versions` may be changed later."""
        self.versions = {(version.code, version.version): version for version in versions}

    async def live(self, codes: Sequence[str]) -> dict[str, TemplateVersion]:
        """Return the live version of each code that exists."""
        return {code: self.versions[code, number] for code, number in sorted(self.versions) if code in codes}

    async def version(self, code: str, version: int) -> TemplateVersion | None:
        """Return one version, or None."""
        return self.versions.get((code, version))
