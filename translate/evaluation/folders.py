"""Evaluate a folder of outputs against a folder of references."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.codecs.formats import FORMAT_OF
from datasets.codecs.images import read_header, read_picture
from datasets.codecs.picture import Picture
from datasets.errors import DataError, UserError, count_of
from datasets.masks.reading import read_mask
from datasets.pixels import show_alpha
from datasets.storage.listing import find_pictures
from datasets.storage.names import stem_of
from datasets.storage.threads import ordered_map
from translate.evaluation.choice import build_report, choose_metrics
from translate.evaluation.metrics.pairs import PicturePair
from translate.evaluation.metrics.report import Protocol, Report, fingerprint
from translate.folders.comparison import NAME as CONTACT_SHEET
from translate.hardware import resolve_numerics

BACKGROUND = "white"  # that transparent pictures are laid on
THREADS = 4  # that decode ahead; chosen by hand, as for checking data
AHEAD = 16
SHOWN = 5  # names in a message

Progress = Callable[[], None]


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder, by their stems: paths within it without suffix, by which folders are matched."""

    root: Path
    files: dict[str, Path]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def formats(self) -> str:
        """The formats that the files' names say, such as "JPEG, PNG"."""
        return ", ".join(sorted({FORMAT_OF.get(path.suffix.lower(), "unknown") for path in self.files.values()}))

    @property
    def fingerprint(self) -> str:
        """A hash of the names and the sizes of the files."""
        return fingerprint([f"{stem}\0{path.stat().st_size}" for stem, path in self.files.items()])


def open_folder(root: Path) -> PictureFolder:
    """Return the pictures of a folder; the contact sheet of a run is none of them.

    Raises:
        DataError: There is no such folder, it has no pictures, or two of them have one stem.
    """
    files: dict[str, Path] = {}
    for path in find_pictures(root).pictures:
        stem = stem_of(path)
        if path.name == CONTACT_SHEET:
            continue
        if stem in files:
            raise DataError(
                f"{root}: {files[stem].name} and {path.name} have the same stem, by which pictures are matched; move "
                "one of them away"
            )
        files[stem] = root / path
    if not files:
        raise DataError(f"{root}: expected a folder of pictures, found none in it; check the name")
    return PictureFolder(root, files)


def match_folders(outputs: PictureFolder, references: PictureFolder) -> list[str]:
    """Return the stems of both folders, or nothing where no stem is in both.

    Raises:
        DataError: Some pictures have no counterpart.
    """
    common = [stem for stem in outputs.files if stem in references.files]
    if not common:
        return []
    lonely = [
        f"{count_of(len(lacking), 'picture')} only in {folder.root} ({_list_names(folder, lacking)})"
        for folder, other in ((outputs, references), (references, outputs))
        if (lacking := [stem for stem in folder.files if stem not in other.files])
    ]
    if lonely:
        raise DataError(
            f"the folders hold {count_of(len(common), 'pair')} of equal names, and {' and '.join(lonely)}; remove "
            "these, or compare the folders as sets, with `metrics` sets"
        )
    return common


def check_sizes(outputs: PictureFolder, references: PictureFolder, stems: Sequence[str]) -> None:
    """Refuse outputs that have another size than their references.

    Raises:
        DataError: They do; the message names the first ones.
    """

    def find_problem(stem: str) -> str | None:
        one, other = (read_header(folder.files[stem]) for folder in (outputs, references))
        if (one.width, one.height) == (other.width, other.height):
            return None
        return f"{outputs.files[stem].name} {one.width}x{one.height} and {other.width}x{other.height}"

    problems = [one for one in ordered_map(find_problem, stems, THREADS, AHEAD) if one is not None]
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise DataError(
            f"{count_of(len(problems), 'output')} of {len(stems)} differ in size from their references: "
            f"{', '.join(problems[:SHOWN])}{more}; bring them to the same size before they are compared"
        )


def read_pairs(
    outputs: PictureFolder, references: PictureFolder, stems: Sequence[str], mask: Path | None, progress: Progress
) -> Iterator[PicturePair]:
    """Yield the pairs, decoded on threads; `mask` is a file for all of them, or a folder with one for each.

    Raises:
        PictureError, DataError: A picture or a mask cannot be read.
    """
    masks = None if mask is None or not mask.is_dir() else open_folder(mask)
    if masks is not None:
        lacking = [stem for stem in stems if stem not in masks.files]
        if lacking:
            raise DataError(
                f"{mask}: has no mask for {_list_names(references, lacking)}; add it, or name another folder"
            )

    def read(stem: str) -> PicturePair:
        output, reference = (read_rgb(folder.files[stem]) for folder in (outputs, references))
        path = mask if masks is None else masks.files[stem]
        hole = None
        if path is not None:
            found, _ = read_mask(path, read_header(references.files[stem]))
            hole = torch.from_numpy(np.ascontiguousarray(found))
        return PicturePair(stem, output, reference, hole)

    for pair in ordered_map(read, stems, THREADS, AHEAD, size=lambda pair: 2 * pair.output.nbytes):
        yield pair
        progress()


def read_pictures(folder: PictureFolder, progress: Progress) -> Iterator[tuple[str, Tensor]]:
    """Yield the stem and the pixels (3, H, W) uint8 of every picture, decoded on threads."""
    read = ordered_map(
        lambda item: (item[0], read_rgb(item[1])),
        folder.files.items(),
        THREADS,
        AHEAD,
        size=lambda item: item[1].nbytes,
    )
    for item in read:
        yield item
        progress()


def read_rgb(path: Path) -> Tensor:
    """Return a picture as (3, H, W) uint8: 16 bits are rounded to 8, gray is repeated, alpha laid on white."""
    return to_rgb(read_picture(path))


def to_rgb(picture: Picture) -> Tensor:
    """Return a picture's pixels as (3, H, W) uint8: 16 bits are rounded to 8, gray is repeated, alpha laid on white."""
    pixels = show_alpha(picture, BACKGROUND)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.uint8))


def describe_pictures(outputs: PictureFolder, references: PictureFolder) -> Protocol:
    """Return what the pictures of two folders add to a protocol."""
    return {
        "outputs": len(outputs),
        "output_formats": outputs.formats,
        "references": len(references),
        "reference_formats": references.formats,
        "reference_set": references.fingerprint,
        "alpha": f"laid on {BACKGROUND}",
    }


def _list_names(folder: PictureFolder, stems: Sequence[str]) -> str:
    names = [folder.files[stem].relative_to(folder.root).as_posix() for stem in stems[:SHOWN]]
    return ", ".join(names) + (f" and {len(stems) - SHOWN} more" if len(stems) > SHOWN else "")


def evaluate_folders(
    outputs: Path,
    references: Path,
    *,
    metrics: Sequence[str] = (),
    crop: int = 0,
    mask: Path | None = None,
    features: Sequence[Path] = (),
    device: str = "auto",
    start: Callable[[int], Progress] = lambda total: lambda: None,
) -> Report:
    """Measure how close the pictures of a folder are to those of another.

    Pictures are matched by their paths without suffix.

    Args:
        outputs: Folder of what is evaluated.
        references: Folder of the truth.
        metrics: Names or groups of metrics; empty: all that can be computed here.
        crop: Pixels that are cut off at each border; super-resolution cuts off its scale.
        mask: A file, or a folder with one for each picture, white in the hole.
        features: Files with weights of feature networks.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        start: Called with the number of pictures to read; what it returns is called after each.

    Raises:
        DataError: The folders do not fit together.
        UserError: A metric cannot be computed.
    """
    choice = choose_metrics(metrics, features, device)
    one, other = open_folder(outputs), open_folder(references)
    if mask is not None and not mask.exists():
        raise DataError(f"{mask}: there is no such file or folder; expected a mask, or a folder of masks")
    stems = match_folders(one, other) if choice.of_pairs else []
    if choice.of_pairs and not stems:
        try:
            choice = choice.without_pairs(metrics)
        except UserError:
            names = f"no picture in {outputs} has the name of one in {references}"
            raise DataError(f"{names}; give outputs the names of their references") from None
    check_sizes(one, other, stems)
    choice = choice.for_counts(len(one), len(other), metrics)
    numerics = resolve_numerics(choice.device, training=False, precision="fp32")
    with numerics.active(choice.device):
        measure = choice.pair_metrics(crop)
        stream = read_pairs(one, other, stems, mask, start(len(stems)))
        pictures = dict(measure.measure(stream)) if stems else {}
        of_sets, more = choice.measure_sets(
            lambda: read_pictures(one, start(len(one))), lambda: read_pictures(other, start(len(other)))
        )
    notes = [*choice.notes, *more]
    return build_report(
        f"{outputs} against {references}", pictures, measure, describe_pictures(one, other), notes, of_sets
    )
