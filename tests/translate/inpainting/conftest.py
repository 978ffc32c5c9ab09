"""Pictures with holes, their masks, and an inpainter whose result is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.contract import Translator
from translate.experiment import Experiment
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.hardware import Numerics
from translate.inference.model import Model
from translate.inference.model_file import Card
from translate.inpainting.masked_folder import inpaint_folder
from translate.inpainting.plan import MaskOptions

HEIGHT, WIDTH = 36, 48
BOX = (slice(10, 20), slice(12, 30))


Run = Callable[..., dict[str, Outcome]]
Draw = Callable[..., NDArray[Any]]
Save = Callable[..., Path]


class Mean(Translator):
    """Fills holes with the mean of what is known."""

    channels_in = 4
    multiple = 8

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        hole = image[:, 3:]
        known = (image[:, :3] * (1 - hole)).sum((2, 3), keepdim=True) / (1 - hole).sum((2, 3), keepdim=True)
        return torch.where(hole > 0, known.expand_as(image[:, :3]), image[:, :3])


@pytest.fixture
def mean(tiny: Callable[..., Experiment]) -> Model:
    card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=16)
    return Model(Mean().eval(), card, "mean", torch.device("cpu"), Numerics("fp32", "contiguous", 1))


@pytest.fixture(scope="session")
def pixels() -> Draw:
    """`pixels(3, np.uint8, seed=0)`: noise, (36, 48, 3)."""

    def pixels_(channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> NDArray[Any]:
        noise: NDArray[Any] = np.random.default_rng(seed).integers(
            0, np.iinfo(dtype).max, (HEIGHT, WIDTH, channels), dtype, endpoint=True
        )
        return noise

    return pixels_


@pytest.fixture(scope="session")
def hole() -> Draw:
    """`hole()`: (36, 48), a box."""

    def hole_() -> NDArray[np.bool_]:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[BOX] = True
        return mask

    return hole_


@pytest.fixture(scope="session")
def save_mask() -> Save:
    """`save_mask(path, mask)`: the path of a mask file."""

    def save_mask_(path: Path, mask: NDArray[np.bool_]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(np.uint8) * 255).save(path)
        return path

    return save_mask_


@pytest.fixture(scope="session")
def save_picture(pixels: Draw) -> Save:
    """`save_picture(path, seed=0)`: the path of a picture of noise."""

    def save_picture_(path: Path, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(seed=seed)).save(path)
        return path

    return save_picture_


@pytest.fixture(scope="session")
def run() -> Run:
    """`run(source, destination, mask, feather=2, on_exists="skip")`: the outcomes by name, with Telea's method."""

    def run_(source: Path, destination: Path, mask: Path | str, **options: Any) -> dict[str, Outcome]:
        mine = {name: options.pop(name) for name in list(options) if name in MaskOptions.model_fields}
        masks, chosen = MaskOptions.model_validate(mine), RunOptions.model_validate(options)
        outcomes = inpaint_folder("telea", source, destination, mask, masks, chosen)
        return {outcome.name.as_posix(): outcome for outcome in outcomes}

    return run_


@pytest.fixture
def folder(tmp_path: Path, save_picture: Save) -> Path:
    """Three pictures, one of them deeper."""
    for seed, name in enumerate(("a.png", "b.png", "deep/c.png")):
        save_picture(tmp_path / "in" / name, seed)
    return tmp_path / "in"


@pytest.fixture
def masks(tmp_path: Path, hole: Draw, save_mask: Save) -> Path:
    """Masks for them, named as people do."""
    save_mask(tmp_path / "masks" / "a.bmp", hole())
    save_mask(tmp_path / "masks" / "b_mask.png", hole()[::-1])
    save_mask(tmp_path / "masks" / "deep" / "c.png", hole()[:, ::-1])
    return tmp_path / "masks"
