"""Pictures that are there several times, exactly or nearly, and those that leak from one split into another."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from translate.evaluation.data_check.facts import FLAT, Facts
from translate.evaluation.data_check.findings import Finding, Layout
from translate.evaluation.data_check.layout import find_split

HASH_BITS = 4  # of 64 by which the hashes of near copies differ, at most; chosen by hand
# Levels by which thumbnails of near copies, saved as JPEG or resized, differ on average and at most. Chosen by hand:
# the hands of a clock, or another colour of skin, change 29 or more.
MEAN_DIFFERENCE, LARGEST_DIFFERENCE = 2.5, 24
CHUNK = 2048  # hashes that are compared with all others at once


def find_duplicates(facts: Sequence[Facts], layout: Layout) -> list[Finding]:
    """Return exact and near copies; of pairs and domains, within each side only."""
    findings = []
    seen = [one for one in facts if one.problem is None and one.deviation >= FLAT]
    groups: dict[tuple[str, bytes], list[Facts]] = {}
    for one in seen:
        groups.setdefault((_side_of(one.name, layout), one.digest), []).append(one)
    firsts = [group[0] for group in groups.values()]
    for group in groups.values():
        if len(group) > 1:
            findings.append(_describe([one.name for one in group], "exact copies", layout))
    findings += [_describe(names, "near copies", layout) for names in _find_near(firsts, layout)]
    return findings


def _describe(names: list[str], kind: str, layout: Layout) -> Finding:
    left_out = tuple(names[1:])
    splits = {find_split(name) for name in names} - {""}
    same = "are the same picture" if kind == "exact copies" else "are nearly the same picture"
    if len(splits) > 1:
        in_training = tuple(name for name in names if find_split(name) == "train")
        message = f"{same} in different splits, {' and '.join(sorted(splits))}, which flatters what is measured"
        return Finding("leak between splits", tuple(names), message, "warning", in_training)
    if layout.kind == "class folders" and len({PurePosixPath(name).parts[0] for name in names}) > 1:
        return Finding(
            "copies in several classes", tuple(names), f"{same} with different labels; keep one", "warning", left_out
        )
    return Finding(kind, tuple(names), f"{same}; one may be learned from and the other held out", "warning", left_out)


def _find_near(facts: Sequence[Facts], layout: Layout) -> list[list[str]]:
    """Return groups of near copies, each picture with all that are like the first of its group."""
    hashes = np.array([one.hash for one in facts], np.uint64)
    sides = np.array([_side_of(one.name, layout) for one in facts])
    shapes = np.array([one.width / one.height for one in facts])
    grouped: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for start in range(0, len(facts), CHUNK):
        bits = np.bitwise_count(hashes[start : start + CHUNK, None] ^ hashes[None])
        rows, columns = np.nonzero(bits <= HASH_BITS)
        for row, column in zip((rows + start).tolist(), columns.tolist(), strict=True):
            alike = row < column and sides[row] == sides[column] and abs(shapes[row] / shapes[column] - 1) < 0.02
            if alike and column not in grouped and _look_alike(facts[row], facts[column]):
                first = grouped.get(row, row)
                grouped[column] = first
                groups.setdefault(first, [first]).append(column)
    return [[facts[index].name for index in group] for group in groups.values()]


def _look_alike(one: Facts, other: Facts) -> bool:
    if one.thumbnail is None or other.thumbnail is None:
        return False
    difference = np.abs(one.thumbnail.astype(np.int16) - other.thumbnail)
    return bool(difference.mean() <= MEAN_DIFFERENCE and difference.max() <= LARGEST_DIFFERENCE)


def _side_of(name: str, layout: Layout) -> str:
    """Return the side of pairs or domains that a picture is on, whatever its split; empty: there are no sides."""
    if layout.kind not in ("pairs", "unpaired", "high-resolution", "masked"):
        return ""
    folder = PurePosixPath(name).parts[0]
    split = find_split(name)
    return folder[-1:] if split and folder[-1:] in "AB" else folder
