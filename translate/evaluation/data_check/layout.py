"""How a folder of training data is arranged, and the settings with which it is read."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from datasets.codecs.images import read_header
from datasets.errors import UserError
from datasets.storage.names import stem_of
from translate.evaluation.data_check.findings import Layout

MOST = 0.5  # of the names of the smaller of two folders that are common if they are pairs; chosen by hand
LOOKED_AT = 20  # pictures whose headers decide between layouts; chosen by hand
SPLIT = re.compile(r"^(train|training|val|valid|validation|test|testing)(?=$|[_-]?[^a-z])", re.IGNORECASE)
PAIR_NAMES = (("A", "B"), ("trainA", "trainB"), ("source", "target"), ("input", "output"), ("LR", "HR"))


def detect_layout(root: Path, pictures: Sequence[Path]) -> Layout:
    """Return how the pictures under a folder, given by their paths within it, are arranged."""
    files = {path.name for path in root.iterdir() if path.is_file()}
    if any(re.match(r"(train|t10k)-images[-.]idx3-ubyte", name) for name in files):
        return Layout("idx", "vae", ("data.kind=idx",))
    table = _detect_table(root, files)
    if table is not None:
        return table
    folders: dict[str, list[Path]] = {}
    for path in pictures:
        folders.setdefault(path.parts[0] if len(path.parts) > 1 else "", []).append(path)
    masks = next((name for name in folders if name.lower() in ("mask", "masks")), None)
    if masks is not None and len(folders) > 1:
        settings = ("data.masks.files=1", *([] if masks == "masks" else [f"data.masks.folder={masks}"]))
        return Layout("masked", "inpaint", tuple(settings), (masks,))
    named = [name for name in folders if name]
    sides = _choose_sides(named)
    if sides is not None and "" not in folders:
        return _describe_sides(root, sides, folders)
    if len(named) > 1 and "" not in folders and not all(map(SPLIT.match, named)):
        return Layout("class folders", "conditional-gan", ("data.labels.kind=folders",), tuple(named))
    if _are_side_by_side(root, pictures):
        return Layout("side-by-side", "pix2pix", ("data.pairs.kind=side-by-side",))
    return Layout("pictures", "gan")


def find_split(name: str) -> str:
    """Return which split a picture's path says that it belongs to: "train", "val", "test" or ""."""
    for part in Path(name).parts[:-1]:
        found = SPLIT.match(part)
        if found:
            word = found[1].lower()
            return "train" if word.startswith("train") else "test" if word.startswith("test") else "val"
    return ""


def _detect_table(root: Path, files: set[str]) -> Layout | None:
    if files & {"list_attr_celeba.txt", "list_attr_celeba.csv"}:
        return Layout("attributes", "stargan", ("data.labels.kind=celeba",))
    if "labels.csv" not in files:
        return None
    header = (root / "labels.csv").read_bytes()[:1000].split(b"\n")[0].decode("utf-8", "replace").lower()
    if re.search(r'(^|[,;\t"])label($|[,;\t"\r])', header):
        return Layout("class folders", "conditional-gan", ("data.labels.kind=csv",))
    return Layout("attributes", "stargan", ("data.labels.kind=csv",))


def _choose_sides(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the two folders that pairs or domains may be in; folders of other splits of theirs do not count."""
    by_fold = {name.lower(): name for name in names}
    for first, second in PAIR_NAMES:
        if first.lower() in by_fold and second.lower() in by_fold:
            return by_fold[first.lower()], by_fold[second.lower()]
    return (names[0], names[1]) if len(names) == 2 and not all(map(SPLIT.match, names)) else None


def _describe_sides(root: Path, sides: tuple[str, str], folders: Mapping[str, Sequence[Path]]) -> Layout:
    stems = [{stem_of(path.relative_to(side)): path for path in folders[side]} for side in sides]
    common = [stem for stem in stems[0] if stem in stems[1]]
    if len(common) < MOST * min(map(len, stems)):
        names = [re.sub(r"^train(?=[AB]$)", "", side) for side in sides]
        settings = tuple(f"data.{key}={name}" for key, name in zip("ab", names, strict=True) if name != key.upper())
        return Layout("unpaired", "cyclegan", settings, sides)
    scales = [_find_scale(root / stems[0][stem], root / stems[1][stem]) for stem in islice(common, LOOKED_AT)]
    scale = max(set(scales), key=scales.count)
    if scale in (2, 3, 4, -2, -3, -4):
        small, large = sides if scale > 0 else sides[::-1]
        settings = ("data.small.kind=folders", f"data.small.small={small}", f"data.small.large={large}")
        scaled = (f"data.scale={abs(scale)}", f"model.scale={abs(scale)}")
        return Layout("high-resolution", "upscaler", (*settings, *scaled), (small, large))
    settings = tuple(
        f"data.pairs.{key}={side}"
        for key, side, usual in zip(("source", "target"), sides, "AB", strict=True)
        if side != usual
    )
    return Layout("pairs", "pix2pix", settings, sides)


def _find_scale(first: Path, second: Path) -> int:
    """Return by which whole factor the second picture is larger, negative if it is smaller; 0: by none."""
    try:
        one, other = read_header(first), read_header(second)
    except UserError:
        return 0
    for factor in (1, 2, 3, 4):
        if (one.width * factor, one.height * factor) == (other.width, other.height):
            return factor
        if (one.width, one.height) == (other.width * factor, other.height * factor):
            return -factor
    return 0


def _are_side_by_side(root: Path, pictures: Sequence[Path]) -> bool:
    """Return whether all of the first pictures are exactly twice as wide as high."""
    sizes = []
    for path in pictures[:LOOKED_AT]:
        try:
            header = read_header(root / path)
        except UserError:
            continue
        sizes.append(header.width == 2 * header.height)
    return len(sizes) > 1 and all(sizes)
