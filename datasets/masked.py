"""Pictures to learn filling holes from: any tree of good ones, with holes that are drawn, or of a folder of masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import torch
from pydantic import Field, model_validator

from datasets.augment import CropConfig
from datasets.codecs.images import read_header, read_picture
from datasets.contract import Masked, OpenedData, Samples, Settings, derive_seed
from datasets.errors import DataError
from datasets.masks.drawing import Mask, MaskName, draw_mask
from datasets.masks.reading import holes_in, resize_mask
from datasets.picture_data import PictureDataConfig
from datasets.storage.image_files import (
    ImageFile,
    Squares,
    filter_valid,
    find_usable,
    fingerprint,
    split_held_out,
)
from datasets.storage.threads import BoundedCache

CACHED_MASKS = 2**28  # bytes


class MaskConfig(Settings):
    """Which holes are cut, as shares of all; 0 means never, and the shares need not add up to 1.

    Those of `folder` are pictures, white where the hole is, scaled to the square whatever their aspect, and mirrored
    and turned by quarters in training.
    """

    free_form: float = Field(1.0, ge=0)  # strokes of a brush
    box: float = Field(0.0, ge=0)
    thin: float = Field(0.0, ge=0)  # thin, medium and thick are LaMa's
    medium: float = Field(0.0, ge=0)
    thick: float = Field(0.0, ge=0)
    files: float = Field(0.0, ge=0)  # those of `folder`
    folder: str = "masks"  # within the data's folder; what lies in it is not learned from

    @model_validator(mode="after")
    def _something_is_drawn(self) -> Self:
        if not sum(self.shares.values()) + self.files:
            raise ValueError("every share of masks is 0; give at least one of them a share")
        if self.files and (Path(self.folder).is_absolute() or ".." in Path(self.folder).parts):
            raise ValueError("folder is to be one within the data's folder, such as masks")
        return self

    @property
    def shares(self) -> dict[MaskName, float]:
        """Of what is drawn, by name."""
        return {name: getattr(self, name) for name in get_args(MaskName)}


class MaskedConfig(PictureDataConfig):
    """Pictures, and the holes to cut into them."""

    batch_type: ClassVar[type[Masked]] = Masked
    kind: Literal["inpainting"] = "inpainting"
    masks: MaskConfig = MaskConfig()
    crop: CropConfig = CropConfig()

    @property
    def channels(self) -> tuple[int, int]:
        """Of a picture with its mask, and of the picture that is to be made."""
        return 4, 3

    def open(self, root: Path) -> OpenedData:
        """Find and check every picture under `root`, and every mask.

        Raises:
            DataError: A picture or a mask cannot be used and `skip_bad` is off, or too little is left.
        """
        files, problems = find_usable(root, decode=self.skip_bad)
        masks: list[ImageFile] = []
        if self.masks.files:
            within = Path(self.masks.folder)
            masks, more = filter_valid([file for file in files if within in Path(file.name).parents], _mask_problem)
            files = [file for file in files if within not in Path(file.name).parents]
            problems += more
        self.check_problems(root, problems)
        if self.masks.files and not masks:
            raise DataError(f"{root / self.masks.folder}: found no mask; put pictures there, white where the hole is")
        training, validation = split_held_out(files, self.validation_fraction)
        if not training:
            raise DataError(f"{root}: found no {'usable ' if problems else ''}picture to learn from")
        groups = {"pictures": files, "masks": masks} if masks else {"pictures": files}
        return OpenedData(
            MaskedPictures(self, training, masks, training=True),
            MaskedPictures(self, validation, masks, training=False),
            fingerprint(groups),
            tuple(problems),
        )


class MaskedPictures(Samples[Masked]):
    """Pictures with masks as samples: image (3, size, size) in [-1, 1], mask (1, size, size) 0 or 1.

    In training a picture stands for as many samples as whole squares fit into it as it is stored, since there is more
    to see in a large one, and each is cut anew; held out, for one, whose hole its name decides.
    """

    def __init__(
        self, config: MaskedConfig, files: Sequence[ImageFile], masks: Sequence[ImageFile], *, training: bool
    ) -> None:
        self.config = config
        self.files = files
        self.masks = masks
        self.training = training
        self.squares = Squares(files, config.crop, 3, config.cache_gib, training=training)
        self._read = BoundedCache(
            lambda place: holes_in(read_picture(masks[place].path)), lambda mask: mask.nbytes, CACHED_MASKS
        )
        counts = [_squares(file, config.crop.size) if training else 1 for file in files]
        self._picture = [place for place, count in enumerate(counts) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._picture)

    def name(self, index: int) -> str:
        """The picture's path within the folder."""
        return self.files[self._picture[index]].name

    def sample(self, index: int, seed: int) -> Masked:
        """The picture at `index`, cut and coloured by the draws of `seed`, with a hole."""
        image = self.squares.cut(self._picture[index], seed)
        mask = self._mask(derive_seed(seed, 1) if self.training else derive_seed(*self.name(index).encode()))
        return Masked(image, torch.from_numpy(mask[np.newaxis].astype(np.float32)))

    def _mask(self, seed: int) -> Mask:
        draws, size = np.random.default_rng(seed), self.config.crop.size
        shares = self.config.masks.shares
        weights = np.array([*shares.values(), self.config.masks.files])
        kind = int(draws.choice(len(weights), p=weights / weights.sum()))
        if kind < len(shares):
            return draw_mask([*shares][kind], size, size, derive_seed(seed, 0))
        mask = resize_mask(self._read(int(draws.integers(len(self.masks)))), size, size)
        if not self.training:
            return mask
        return np.rot90(mask[:, ::-1] if draws.integers(2) else mask, int(draws.integers(4)))


def _mask_problem(file: ImageFile) -> str | None:
    mask = holes_in(read_picture(file.path))
    if mask.all() or not mask.any():
        found = "white" if mask.all() else "black"
        return f"{file.path}: is all {found}; a mask is white where the hole is, and black elsewhere"
    return None


def _squares(file: ImageFile, size: int) -> int:
    head = read_header(file.path)
    return max(1, head.width // size) * max(1, head.height // size)
