"""Labels and masks: numbers out of range, classes of very unlike sizes, holes that are no holes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from datasets.errors import UserError, count_of
from datasets.idx import find_idx_file, read_idx
from datasets.masks.reading import read_holes
from translate.evaluation.data_check.facts import Facts
from translate.evaluation.data_check.findings import Finding, Layout

UNBALANCED = 10.0  # times as many pictures in the largest class as in the smallest; chosen by hand
FEW = 10  # pictures of a class, from which it is hardly learned; chosen by hand
MOSTLY_HOLE = 0.7  # of all masks' area: rather their polarity is the other way round; chosen by hand


def find_class_problems(facts: Sequence[Facts], layout: Layout) -> list[Finding]:
    """Return findings on the sizes of class folders."""
    if layout.kind != "class folders" or not layout.folders:
        return []
    counts = Counter(PurePosixPath(one.name).parts[0] for one in facts if one.problem is None)
    return describe_balance(dict(counts))


def describe_balance(counts: dict[str, int]) -> list[Finding]:
    """Return findings on numbers of pictures by class."""
    if len(counts) < 2:
        return []
    (large, most), (small, fewest) = (choose(counts.items(), key=lambda item: item[1]) for choose in (max, min))
    findings = []
    if most > UNBALANCED * fewest:
        message = f"classes are unbalanced: {large} has {most} pictures and {small} has {fewest}"
        findings.append(Finding("class balance", (), message))
    lacking = [f"{name} ({count})" for name, count in counts.items() if count < FEW]
    if lacking:
        findings.append(Finding("class balance", (), f"fewer than {FEW} pictures of {', '.join(lacking)}"))
    return findings


def find_idx_problems(root: Path) -> list[Finding]:
    """Return findings on the labels in idx files."""
    findings: list[Finding] = []
    known: NDArray[np.uint8] | None = None
    for split in ("train", "t10k"):
        path = find_idx_file(root, split, "labels")
        if path is None:
            continue
        try:
            labels = read_idx(path)
        except UserError as error:
            findings.append(Finding("unreadable", (path.name,), str(error), "error"))
            continue
        numbers, counts = np.unique(labels, return_counts=True)
        if split == "train":
            known = numbers
            findings += describe_balance(dict(zip(map(str, numbers.tolist()), counts.tolist(), strict=True)))
            gaps = np.setdiff1d(np.arange(int(numbers.max()) + 1), numbers)
            if len(gaps):
                message = f"labels go up to {numbers.max()}, and {_list(gaps)} never occur: is one out of range?"
                findings.append(Finding("label out of range", (path.name,), message))
        elif known is not None and len(unknown := np.setdiff1d(numbers, known)):
            first = int(np.flatnonzero(np.isin(labels, unknown))[0])
            message = f"has the labels {_list(unknown)}, which no training picture has; the first is of picture {first}"
            findings.append(Finding("label out of range", (path.name,), message, "error"))
    return findings


def find_mask_problems(root: Path, names: Sequence[str]) -> Iterator[Finding | None]:
    """Yield what is to be said about each mask, and at the end about all of them together."""
    fractions = []
    for name in names:
        try:
            mask, notes = read_holes(root / name)
        except UserError as error:
            yield Finding("mask", (name,), str(error), "error", (name,))
            continue
        if mask.all() or not mask.any():
            found = "is all hole" if mask.all() else "has no hole"
            why = f": {notes[0]}" if notes else ""
            yield Finding("mask", (name,), f"{found}; white marks the hole{why}", "error", (name,))
            continue
        fractions.append(float(mask.mean()))
        yield Finding("mask levels", (name,), notes[0].replace("`", "")) if notes else None
    if fractions and np.mean(fractions) > MOSTLY_HOLE:
        message = f"{np.mean(fractions):.0%} of {count_of(len(fractions), 'mask')} is hole: is black meant as the hole?"
        yield Finding("mask polarity", (), message)


def _list(numbers: NDArray[np.integer]) -> str:
    shown = ", ".join(map(str, numbers[:5].tolist()))
    return f"{shown} and {len(numbers) - 5} more" if len(numbers) > 5 else shown
