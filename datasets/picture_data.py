"""The settings that all kinds of data made of picture files share."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from datasets.augment import CropSettings
from datasets.contract import DataConfig
from datasets.errors import DataError
from datasets.storage.image_files import describe_problems


class PictureDataConfig(DataConfig):
    """Data of picture files, which are decoded while training and cropped to squares of one size."""

    size_key: ClassVar[str | None] = "data.crop.size"

    crop: CropSettings
    cache_gib: float = Field(
        default=1.0, ge=0
    )  # of decoded pictures that stay in memory; 1 leaves room on a small laptop
    # Leave out what cannot be used instead of refusing the folder; each picture is then decoded once to check it.
    skip_bad: bool = False

    @property
    def training_size(self) -> int:
        """Pixels on a side of the squares that are cropped from the pictures."""
        return self.crop.size

    @property
    def scaled_to(self) -> int | None:
        """The shorter side in pixels to which pictures are scaled before they are cropped; None: they are not."""
        return self.crop.scaled_to

    def check_problems(self, root: Path, problems: Sequence[str]) -> None:
        """Refuse a folder with problems, unless they are to be skipped.

        Raises:
            DataError: There are problems, and `skip_bad` is off.
        """
        if problems and not self.skip_bad:
            raise DataError(describe_problems(root, problems))
