"""What a check found, and in which order it is told."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with one or several files.

    Attributes:
        kind: In one or two words, by which findings are grouped.
        files: Their paths within the folder; empty: the folder as a whole.
        message: What was expected and what was found.
        severity: "error" if a training would fail or learn what is wrong; "warning" if somebody should look.
        left_out: Files that a cleaned list leaves out; of copies, all but one.
    """

    kind: str
    files: tuple[str, ...]
    message: str
    severity: Severity = "warning"
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a folder is arranged.

    Attributes:
        kind: "pairs", "side-by-side", "unpaired", "class folders", "attributes", "high-resolution", "masked", "idx" or
            "pictures".
        settings: With which a recipe reads it, such as "data.pairs.source=trainA".
        recipe: One that learns from it, with these settings.
        folders: Of the two sides of pairs or domains, of the classes, or of the masks.
    """

    kind: str
    recipe: str
    settings: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """The result of a check.

    Attributes:
        folder: That was checked.
        layout: How it is arranged.
        facts: Counts of files by property, such as {"format": {"PNG": 3}}.
        findings: The worst first.
        files: All pictures that were found, by their paths within the folder.
    """

    folder: str
    layout: Layout
    facts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    files: tuple[str, ...]

    @property
    def would_fail(self) -> bool:
        """Whether a training would fail."""
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def usable(self) -> list[str]:
        """The files that nothing speaks against: of copies, the first."""
        left_out = {file for finding in self.findings for file in finding.left_out}
        return [file for file in self.files if file not in left_out]

    def to_document(self) -> dict[str, Any]:
        """Return the report as it is written to JSON."""
        document = asdict(self)
        document.pop("files")
        return {**document, "pictures": len(self.files), "would_fail": self.would_fail}


def sort_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings with errors first, and otherwise in their order."""
    return tuple(sorted(findings, key=lambda finding: finding.severity != "error"))
