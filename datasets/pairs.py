"""Where pairs of pictures come from: two folders, files with two halves, or single pictures that are degraded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, Tag

from datasets.codecs.images import Picture, read_header, read_picture
from datasets.contract import Settings, discriminate_by
from datasets.degradations.degrade import DegradationName, check_strength
from datasets.errors import DataError
from datasets.storage.image_files import describe_unsupported
from datasets.storage.likeness import Lookalikes
from datasets.storage.listing import describe_folders, find_entry, find_pictures
from datasets.storage.names import stem_of


@dataclass(frozen=True)
class Pair:
    """The name and the two files of a pair; both paths are equal where one file holds both pictures."""

    name: str
    source: Path
    target: Path


class PairFolders(Settings):
    """Two folders of pictures, which are pairs where their paths within the folders are equal up to the suffix."""

    kind: Literal["folders"] = "folders"
    source: str = Field(default="A", description="folder of the pictures to translate")
    target: str = Field(default="B", description="folder of what they should become")

    def find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        """Return the pairs under `root`, and a sentence about each file without a partner."""
        sources, problems = self._find_by_stem(root, self.source)
        targets, more = self._find_by_stem(root, self.target)
        problems += more
        for files, others, folder in ((sources, targets, self.target), (targets, sources, self.source)):
            lookalikes = Lookalikes(stem for stem in others if stem not in files)
            for stem in files:
                if stem not in others:
                    near = lookalikes.find(stem)
                    meant = "" if near is None else f"; {others[near].name} looks like it"
                    problems.append(f"{files[stem]}: has no partner in {folder}{meant}")
        common = [stem for stem in sources if stem in targets]
        return [Pair(stem, sources[stem], targets[stem]) for stem in common], problems

    def read_pair(self, pair: Pair) -> tuple[Picture, Picture]:
        """Return both pictures."""
        return read_picture(pair.source), read_picture(pair.target)

    def find_problem(self, pair: Pair) -> str | None:
        """Return a sentence about why the pair cannot be used, or None; only the files' headers are read."""
        source, target = read_header(pair.source), read_header(pair.target)
        if (source.width, source.height) == (target.width, target.height):
            return None
        sizes = f"{source.width}x{source.height} and {target.width}x{target.height}"
        return f"{pair.name}: source and target differ in size, {sizes}"

    def _find_by_stem(self, root: Path, folder: str) -> tuple[dict[str, Path], list[str]]:
        place = find_entry(root, folder)
        if not place.is_dir():
            raise DataError(
                f"{root}: expected the folders {self.source} and {self.target}, found {describe_folders(root)}; "
                "name yours with data.pairs.source and data.pairs.target"
            )
        files: dict[str, Path] = {}
        listing = find_pictures(place)
        problems = describe_unsupported(place, listing)
        for path in listing.pictures:
            stem = stem_of(path)
            if stem in files:
                problems.append(f"{place / path}: {files[stem].name} has the same stem")
            else:
                files[stem] = place / path
        return files, problems


class SideBySidePairs(Settings):
    """Files that each hold a pair: two pictures of equal width, side by side."""

    kind: Literal["side-by-side"] = "side-by-side"
    source: Literal["left", "right"] = Field(default="left", description="half of the picture that is translated")

    def find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        """Return the pairs under `root`, one for every picture, and a sentence about each unreadable file."""
        return pair_every_picture(root)

    def read_pair(self, pair: Pair) -> tuple[Picture, Picture]:
        """Return both halves."""
        picture = read_picture(pair.source)
        alphas = (None, None) if picture.alpha is None else np.hsplit(picture.alpha, 2)
        left, right = map(Picture, np.hsplit(picture.pixels, 2), alphas)
        return (left, right) if self.source == "left" else (right, left)

    def find_problem(self, pair: Pair) -> str | None:
        """Return a sentence about why the file has no two equal halves, or None."""
        width = read_header(pair.source).width
        return f"{pair.name}: {width} pixels wide, which has no two equal halves" if width % 2 else None


class DerivedPairs(Settings):
    """Any folder of pictures, each of which is a target; its source is the target, degraded."""

    kind: Literal["derived"] = "derived"
    degradation: DegradationName = Field(
        default="gray", description="what is done to the pictures, for the model to undo"
    )
    strength: float | tuple[float, float] | None = Field(
        default=None,
        description="of the degradation, on a scale of its own; two numbers: drawn between them for each sample; "
        "null: its default",
    )

    def find_pairs(self, root: Path) -> tuple[list[Pair], list[str]]:
        """Return the pairs under `root`, one for every picture, and a sentence about each unreadable file."""
        for strength in self.strength if isinstance(self.strength, tuple) else (self.strength,):
            check_strength(self.degradation, strength)
        return pair_every_picture(root)

    def draw_strength(self, seed: int) -> float | None:
        """Return the strength for one sample: evenly drawn where there are two, else the one that was set."""
        if not isinstance(self.strength, tuple):
            return self.strength
        return float(np.random.default_rng(seed).uniform(min(self.strength), max(self.strength)))

    def read_pair(self, pair: Pair) -> tuple[Picture, Picture]:
        """Return the target twice; the source is degraded only after cropping."""
        picture = read_picture(pair.target)
        return picture, picture

    def find_problem(self, pair: Pair) -> str | None:
        """Return None; a file that is not a picture raises PictureError."""
        read_header(pair.target)
        return None


PairsConfig = Annotated[
    Annotated[PairFolders, Tag("folders")]
    | Annotated[SideBySidePairs, Tag("side-by-side")]
    | Annotated[DerivedPairs, Tag("derived")],
    discriminate_by("kind", "folders"),
]


def pair_every_picture(root: Path) -> tuple[list[Pair], list[str]]:
    """Return a pair of a file with itself for every picture under `root`, and a sentence about each unreadable file."""
    listing = find_pictures(root)
    pairs = [Pair(path.as_posix(), root / path, root / path) for path in listing.pictures]
    return pairs, describe_unsupported(root, listing)
