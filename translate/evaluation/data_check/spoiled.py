"""Pictures that JPEG, enlarging or a border spoiled, and those that show nothing."""

from collections.abc import Sequence

from translate.evaluation.data_check.facts import FLAT, Facts
from translate.evaluation.data_check.findings import Finding, Layout

# Measured on the facades (256², JPEG of 99), emoji (64²) and a pool of sharp photographs, as they are and after each
# damage: detail is -2.6 or more, and mostly falls below -2.7 when a picture is enlarged twice.
LEAST_DETAIL = -2.65
LEAST_QUALITY = 40.0  # of a JPEG, below which blocks are plain to see; chosen by eye
MOST_BLOCKS = (
    1.45  # label maps of the facades have 1.40 at most; photographs saved at a quality of 30 mostly 1.4 to 2.9
)
THIN = 1  # pixels of a border that may be the picture's own


def find_spoiled(facts: Sequence[Facts], layout: Layout) -> list[Finding]:
    """Return the pictures that should not be learned from; masks and sources of pairs may look as they like."""
    exempt = {layout.folders[0]} if layout.kind in ("masked", "high-resolution", "pairs") and layout.folders else set()
    return [
        Finding(kind, (one.name,), message, "warning", (one.name,))
        for one in facts
        if one.problem is None and one.name.partition("/")[0] not in exempt
        for kind, message in (describe(one) for describe in CHECKS)
        if message
    ]


def _describe_jpeg(one: Facts) -> tuple[str, str]:
    if one.quality is not None and one.quality < LEAST_QUALITY:
        return "spoiled by JPEG", f"is a JPEG of quality {one.quality:.0f}, whose blocks would be learned"
    if one.blockiness > MOST_BLOCKS and not _describe_enlarged(one)[0]:  # which leaves patterns of its own
        return "spoiled by JPEG", f"has blocks of 8 pixels, {one.blockiness:.2f} times as strong as what is within them"
    return "", ""


def _describe_enlarged(one: Facts) -> tuple[str, str]:
    if one.detail is not None and one.detail < LEAST_DETAIL and one.deviation > FLAT:
        return "enlarged or blurred", "has next to no fine detail: it was enlarged, or is out of focus"
    return "", ""


def _describe_border(one: Facts) -> tuple[str, str]:
    upright, across = one.border
    if max(upright, across) <= THIN:
        return "", ""
    sides = [f"{upright} pixels at the top and bottom"] if upright > THIN else []
    sides += [f"{across} pixels at the left and right"] if across > THIN else []
    return "border", f"has a border of one colour, {' and '.join(sides)}; cut it off"


def _describe_flat(one: Facts) -> tuple[str, str]:
    return ("shows nothing", "is of a single colour") if one.deviation < FLAT else ("", "")


CHECKS = (_describe_jpeg, _describe_enlarged, _describe_border, _describe_flat)
