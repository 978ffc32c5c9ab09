"""Check a folder of training data."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2

from datasets.errors import DataError, UserError, count_of
from datasets.storage.image_files import describe_unsupported
from datasets.storage.listing import Listing, find_pictures
from datasets.storage.threads import ordered_map
from translate.evaluation.data_check.duplicates import find_duplicates
from translate.evaluation.data_check.facts import Facts, measure_picture
from translate.evaluation.data_check.findings import CheckReport, Finding, Layout, sort_findings
from translate.evaluation.data_check.labels import find_class_problems, find_idx_problems, find_mask_problems
from translate.evaluation.data_check.layout import detect_layout
from translate.evaluation.data_check.pairs import by_stem, find_pair_problems, find_shifted
from translate.evaluation.data_check.spoiled import find_spoiled
from translate.experiment import load_experiment

THREADS = 4
AHEAD = 64

Progress = Callable[[], None]


def check_data(
    root: Path,
    *,
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    start: Callable[[int], Progress] = lambda total: lambda: None,
) -> CheckReport:
    """Look at every file of a folder of training data; change nothing.

    Args:
        root: The folder.
        recipe: That is to learn from it; None: one that fits the layout.
        overrides: Of the recipe, such as "data.crop.size=64".
        start: Called with the number of steps; what it returns is called after each.

    Raises:
        DataError: There is no such folder, or it is empty.
        UserError: There is no such recipe.
    """
    listing = find_pictures(root)
    layout = detect_layout(root, listing.pictures)
    if not listing.pictures and layout.kind != "idx":
        raise DataError(f"{root}: expected a folder of pictures or of idx files, found neither; check the name")
    progress = start(len(listing.pictures))
    facts = list(_measure(root, listing, progress))
    findings = [
        *_find_unreadable(root, listing, facts),
        *find_pair_problems(facts, layout),
        *find_class_problems(facts, layout),
        *(find_idx_problems(root) if layout.kind == "idx" else ()),
        *find_duplicates(facts, layout),
        *_find_side_problems(root, facts, layout),
        *find_spoiled(facts, layout),
    ]
    findings += _try_opening(root, layout, recipe, overrides, findings)
    names = tuple(path.as_posix() for path in listing.pictures)
    return CheckReport(str(root), layout, _count(facts), sort_findings(findings), names)


def _measure(root: Path, listing: Listing, progress: Progress) -> Iterator[Facts]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # pictures are measured on threads of our own
    try:
        names = [path.as_posix() for path in listing.pictures]
        for facts in ordered_map(lambda name: measure_picture(root, name), names, THREADS, AHEAD):
            yield facts
            progress()
    finally:
        cv2.setNumThreads(before)


def _find_unreadable(root: Path, listing: Listing, facts: Sequence[Facts]) -> list[Finding]:
    findings = [
        Finding("unreadable", (one.name,), one.problem.removeprefix(f"{root / one.name}: "), "error", (one.name,))
        for one in facts
        if one.problem is not None
    ]
    for (path, _), sentence in zip(listing.unsupported, describe_unsupported(root, listing), strict=True):
        message = sentence.removeprefix(f"{root / path}: ")
        findings.append(Finding("unreadable", (path.as_posix(),), message, "error"))
    return findings


def _find_side_problems(root: Path, facts: Sequence[Facts], layout: Layout) -> list[Finding]:
    """Return shifted pairs and wrong masks, for which files are read once more."""
    readable = [one for one in facts if one.problem is None]
    if layout.kind == "pairs":
        sides = [by_stem(readable, side) for side in layout.folders]
        alike = [
            (one.name, other.name)
            for stem, one in sides[0].items()
            if (other := sides[1].get(stem)) is not None and (one.width, one.height) == (other.width, other.height)
        ]
        return [finding for finding in find_shifted(root, alike) if finding is not None]
    if layout.kind == "masked":
        masks = [one.name for one in readable if one.name.startswith(f"{layout.folders[0]}/")]
        return [finding for finding in find_mask_problems(root, masks) if finding is not None]
    return []


def _try_opening(
    root: Path, layout: Layout, recipe: str | None, overrides: Sequence[str], findings: Sequence[Finding]
) -> list[Finding]:
    """Return what stops a training that reads the folder as its recipe says, if nothing that was found explains it."""
    settings = [*layout.settings, *overrides] if recipe is None else overrides
    experiment = load_experiment(recipe or layout.recipe, settings)
    try:
        experiment.data.open(root)
    except UserError as error:
        if recipe is None and any(finding.severity == "error" for finding in findings):
            return []
        return [Finding("cannot be trained on", (), str(error), "error")]
    return []


def _count(facts: Sequence[Facts]) -> dict[str, dict[str, int]]:
    """Return how many pictures have which properties."""
    readable = [one for one in facts if one.problem is None]
    properties: dict[str, Callable[[Facts], str]] = {
        "format": lambda one: one.format,
        "size": lambda one: f"{one.width}x{one.height}",
        "channels": lambda one: "gray" if one.channels == 1 else "colour",
        "depth": lambda one: f"{one.depth} bits",
        "alpha": lambda one: one.alpha,
        "colour profile": lambda one: "yes" if one.profile else "no",
    }
    return {name: dict(Counter(map(read, readable)).most_common()) for name, read in properties.items()}


def describe_count(report: CheckReport) -> str:
    """Return the result of a check in a few words."""
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    return f"{count_of(len(report.files), 'picture')}, {count_of(errors, 'error')}, {count_of(warnings, 'warning')}"
