"""Pictures for inpainting: any tree of whole pictures, with masks of holes that are drawn, or read from a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import torch
from pydantic import Field, model_validator

from datasets.augment import CropConfig
from datasets.codecs.images import read_header
from datasets.contract import Masked, OpenedData, Samples, Settings, derive_seed
from datasets.errors import DataError
from datasets.masks.drawing import Mask, MaskName, draw_mask
from datasets.masks.reading import read_holes, resize_mask
from datasets.picture_data import PictureDataConfig
from datasets.storage.image_files import (
    CropReader,
    ImageFile,
    count_alpha,
    filter_valid,
    find_usable,
    fingerprint_files,
    split_held_out,
)
from datasets.storage.listing import find_entry
from datasets.storage.names import encode_name
from datasets.storage.threads import BoundedCache

MASK_CACHE_BYTES = 2**28  # chosen by hand: 4,000 masks of 256 pixels on a side


class MaskConfig(Settings):
    """How often each kind of mask is drawn: relative weights, which need not add up to 1; 0 means never.

    The masks in `folder` are pictures that are white in the hole. They are scaled to the size of the crop whatever
    their aspect, and in training mirrored and turned by quarters.
    """

    free_form: float = Field(default=1.0, ge=0, description="weight of brush strokes, as in DeepFill v2")
    box: float = Field(default=0.0, ge=0, description="weight of rectangles")
    thin: float = Field(default=0.0, ge=0, description="weight of LaMa's thin masks")
    medium: float = Field(default=0.0, ge=0, description="weight of LaMa's medium masks")
    thick: float = Field(default=0.0, ge=0, description="weight of LaMa's thick masks")
    files: float = Field(default=0.0, ge=0, description="weight of the masks in the folder below")
    folder: str = Field(
        default="masks", description="of masks, within the data's folder; its pictures are not trained on"
    )

    @model_validator(mode="after")
    def _check_weights_and_folder(self) -> Self:
        if not sum(self.weights.values()) + self.files:
            raise ValueError("the weights of all kinds of masks are 0; set at least one of them")
        if self.files and (Path(self.folder).is_absolute() or ".." in Path(self.folder).parts):
            raise ValueError(f"expected a folder within the data's folder, such as masks, found {self.folder}")
        return self

    @property
    def weights(self) -> dict[MaskName, float]:
        """Of the masks that are drawn, by name."""
        return {name: getattr(self, name) for name in get_args(MaskName)}


class MaskedConfig(PictureDataConfig):
    """Pictures with masks of holes."""

    batch_type: ClassVar[type[Masked]] = Masked
    kind: Literal["inpainting"] = "inpainting"
    masks: MaskConfig = MaskConfig()
    crop: CropConfig = CropConfig()

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input, a picture with its mask, and of the output."""
        return 4, 3

    def open(self, root: Path) -> OpenedData[Masked]:
        """Find and check every picture under `root`, and every mask.

        Raises:
            DataError: A picture or a mask cannot be used and `skip_bad` is off, or there are none.
        """
        files, problems = find_usable(root, decode=self.skip_bad)
        masks: list[ImageFile] = []
        if self.masks.files:
            folder = find_entry(root, self.masks.folder)
            masks, more = filter_valid([file for file in files if folder in file.path.parents], _find_mask_problem)
            files = [file for file in files if folder not in file.path.parents]
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
            fingerprint_files(groups),
            tuple(problems),
            with_alpha=count_alpha(file.path for file in files),
        )


class MaskedPictures(Samples[Masked]):
    """Pictures with masks as samples: image (3, size, size) in [-1, 1], mask (1, size, size) 0 or 1.

    In training, each picture is as many samples as whole squares fit into its file, since large pictures show more, and
    each sample is a random crop. In validation each picture is one sample, and its name decides the mask.
    """

    def __init__(
        self, config: MaskedConfig, files: Sequence[ImageFile], masks: Sequence[ImageFile], *, training: bool
    ) -> None:
        self.config = config
        self.files = files
        self.masks = masks
        self.training = training
        self.crops = CropReader(files, config.crop, 3, config.cache_gib, config.background, training=training)
        self._read_mask = BoundedCache(
            lambda index: read_holes(masks[index].path)[0], lambda mask: mask.nbytes, MASK_CACHE_BYTES
        )
        counts = [_count_squares(file, config.crop.size) if training else 1 for file in files]
        self._picture = [index for index, count in enumerate(counts) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._picture)

    def name(self, index: int) -> str:
        """Return the picture's path within the folder."""
        return self.files[self._picture[index]].name

    def sample(self, index: int, seed: int) -> Masked:
        """Return a crop of the picture at `index`, drawn from `seed`, with a mask."""
        image = self.crops.read(self._picture[index], seed)
        mask = self._draw_mask(derive_seed(seed, 1) if self.training else derive_seed(*encode_name(self.name(index))))
        return Masked(image, torch.from_numpy(mask[np.newaxis].astype(np.float32)))

    def _draw_mask(self, seed: int) -> Mask:
        rng, size = np.random.default_rng(seed), self.config.crop.size
        names = [*self.config.masks.weights]
        weights = np.array([*self.config.masks.weights.values(), self.config.masks.files])
        kind = int(rng.choice(len(weights), p=weights / weights.sum()))
        if kind < len(names):
            return draw_mask(names[kind], size, size, derive_seed(seed, 0))
        mask = resize_mask(self._read_mask(int(rng.integers(len(self.masks)))), size, size)
        if not self.training:
            return mask
        return np.rot90(mask[:, ::-1] if rng.integers(2) else mask, int(rng.integers(4)))


def _find_mask_problem(file: ImageFile) -> str | None:
    mask, notes = read_holes(file.path)
    if mask.all() or not mask.any():
        found = "all white" if mask.all() else "nowhere bright enough" if notes else "all black"
        return f"{file.path}: is {found}; a mask is white where the hole is, and black elsewhere"
    return None


def _count_squares(file: ImageFile, size: int) -> int:
    header = read_header(file.path)
    return max(1, header.width // size) * max(1, header.height // size)
