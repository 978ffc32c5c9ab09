"""The settings that all kinds of data made of picture files share."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from datasets.augment import CropSettings
from datasets.codecs.picture import Colour
from datasets.contract import DataConfig, Masked
from datasets.errors import DataError, count_of
from datasets.storage.image_files import describe_problems


class PictureDataConfig(DataConfig):
    """Data of picture files, which are decoded while training and cropped to squares of one size."""

    size_key: ClassVar[str | None] = "data.crop.size"

    crop: CropSettings
    cache_gib: float = Field(
        default=1.0, ge=0, description="memory for decoded pictures, in GiB; 1 leaves room on a small laptop"
    )
    skip_bad: bool = Field(
        default=False,
        description="leave out what cannot be used instead of refusing the folder; each picture is then decoded "
        "once to check it",
    )
    background: Colour | None = Field(
        default="white",
        description="colour that transparent pictures are laid on, unless alpha is learned as a fourth channel; "
        "null: alpha is ignored, as in game textures, where it is no transparency",
    )

    @property
    def training_size(self) -> int:
        """Pixels on a side of the squares that are cropped from the pictures."""
        return self.crop.size

    @property
    def scaled_to(self) -> int | None:
        """The shorter side in pixels to which pictures are scaled before they are cropped; None: they are not."""
        return self.crop.scaled_to

    def describe_alpha(self, count: int) -> str:
        """Return a sentence about `count` pictures with alpha: what becomes of it."""
        have = f"{count_of(count, 'picture')} {'has' if count == 1 else 'have'} alpha"
        if 4 in self.channels and self.batch_type is not Masked:
            return f"{have}, which is learned as a fourth channel"
        if self.background is None:
            return f"{have}, which is ignored, since data.background is null"
        return f"{have}: laid on {self.background} to learn from; data.background sets another colour"

    def check_problems(self, root: Path, problems: Sequence[str]) -> None:
        """Refuse a folder with problems, unless they are to be skipped.

        Raises:
            DataError: There are problems, and `skip_bad` is off.
        """
        if problems and not self.skip_bad:
            raise DataError(describe_problems(root, problems))
