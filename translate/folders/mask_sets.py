"""Sets of masks as PNG files, to look at, to measure inpainters with, and to try one on pictures of one's own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datasets.codecs.images import Picture, read_header, write_picture
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.masks.drawing import MaskName, draw_mask
from datasets.storage.listing import find_pictures
from translate.folders.plan import Job, NothingFoundError, refuse_existing


def masks_to_draw(destination: Path, count: int, size: int) -> dict[Path, tuple[int, int]]:
    """Files for `count` masks, with their heights and widths.

    Raises:
        UserError: One of them exists.
    """
    return _new({destination / f"{number:05d}.png": (size, size) for number in range(1, count + 1)})


def masks_like(pictures: Path, destination: Path) -> dict[Path, tuple[int, int]]:
    """A file for the mask of each picture in a folder, of its name, with the picture's height and width.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: Two pictures would share a mask, or one exists.
    """
    places: dict[Path, tuple[int, int]] = {}
    for name in find_pictures(pictures).pictures:
        place = destination / name.with_suffix(".png")
        if place in places:
            raise UserError(f"{pictures / name}: is not the only picture of that name, and would share its mask")
        head = read_header(pictures / name)
        places[place] = head.height, head.width
    if not places:
        raise NothingFoundError(f"{pictures}: holds no picture")
    return _new(places)


def draw_masks(kind: MaskName, places: dict[Path, tuple[int, int]], seed: int) -> Iterator[float]:
    """Draw and write the masks, white where the hole is; yield the share of hole of each.

    What a mask shows depends on the kind, the seed and its place in the order.

    Raises:
        UserError: One cannot be written.
    """
    for index, (place, (height, width)) in enumerate(places.items()):
        mask = draw_mask(kind, height, width, derive_seed(seed, index))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{place.parent}: cannot be made: {error.strerror or error}") from None
        write_picture(Picture(mask.astype(np.uint8)[:, :, np.newaxis] * np.uint8(255)), place)
        yield float(mask.mean())


def _new(places: dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    refuse_existing([Job(Path(), Path(place.name), place) for place in places])
    return places
