"""Fine detail in a smooth fill is copied from known surroundings, and from nowhere else."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.codecs.images import Picture
from translate.inpainting import detail
from translate.inpainting.detail import add_detail, copy_patches
from translate.inpainting.fill import fill_holes
from translate.inpainting.inpainters import classical_inpainter


def weave(height: int, width: int, channels: int = 3) -> Tensor:
    """A texture that repeats every 6 and 10 pixels, on a slope."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    planes = [
        0.3 * torch.sin(x * torch.pi / 3 + c) * torch.cos(y * torch.pi / 5) + x / width - 0.5 for c in range(channels)
    ]
    return torch.stack(planes).float()


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Tensor:
    hole = torch.zeros(height, width, dtype=torch.bool)
    hole[top:bottom, left:right] = True
    return hole


def smooth(image: Tensor, hole: Tensor) -> Tensor:
    """The slope, without the texture, in the hole."""
    across = torch.arange(image.shape[2]) / image.shape[2] - 0.5
    return torch.where(hole, across.expand_as(image), image)


def similarity(made: Tensor, truth: Tensor, plain: Tensor, hole: Tensor) -> float:
    """Correlation of the texture that was made with the true one, in the hole."""
    pairs = torch.stack([(made - plain)[:, hole].flatten(), (truth - plain)[:, hole].flatten()])
    return float(torch.corrcoef(pairs)[0, 1])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pairs", [detail.PAIRS, 2 * 10**5])
def test_texture_goes_on_in_the_hole(channels: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail, "PAIRS", pairs)
    truth, hole = weave(81, 100, channels), box(81, 100, 30, 40, 50, 62)
    plain = smooth(truth, hole)
    made = add_detail(plain, hole, hole)
    assert torch.equal(made[:, ~hole], truth[:, ~hole])
    assert similarity(made, truth, plain, hole) > 0.6
    assert (made - truth)[:, hole].square().mean() < 0.7 * (plain - truth)[:, hole].square().mean()
    assert torch.equal(add_detail(plain, hole, hole), made)


def test_the_search_finds_what_comparing_all_pairs_finds() -> None:
    image, hole = torch.rand(2, 24, 30, generator=torch.Generator().manual_seed(1)), box(24, 30, 8, 10, 14, 15)
    scale = detail._build_scale(image, hole, hole, 1)
    filled = torch.where(hole, 0.5, image)
    found = detail._search(scale, filled)
    padded = np.pad(filled.numpy(), ((0, 0), (3, 3), (3, 3)), mode="reflect")
    filled_in = np.pad(hole.numpy(), 3, mode="reflect")
    for target, source, distance in zip(scale.targets.tolist(), found.sources.tolist(), found.distances, strict=True):
        y, x = divmod(target, 30)
        weights = np.where(filled_in[y : y + 7, x : x + 7], detail.FILLED_WEIGHT, 1)
        errors = {}
        for row in range(3, 21):
            for column in range(3, 27):
                if not hole[row - 3 : row + 4, column - 3 : column + 4].any():
                    known = image[:, row - 3 : row + 4, column - 3 : column + 4].numpy()
                    squares = np.square(padded[:, y : y + 7, x : x + 7] - known).sum(0)
                    errors[row * 30 + column] = (weights * squares).sum() / weights.sum()
        assert errors[source] == pytest.approx(min(errors.values()), rel=1e-3)
        assert float(distance) == pytest.approx(errors[source], rel=1e-3)
    assert len(found.sources) == (6 + 6) * (5 + 6)  # every pixel of the hole, and three around it


def test_unknown_pixels_are_not_copied() -> None:
    image, hole = weave(60, 90), box(60, 90, 20, 20, 40, 40)
    other = box(60, 90, 10, 60, 50, 80)
    image[:, other] = 0.99
    copied = copy_patches(smooth(image, hole), hole, hole | other)
    assert copied is not None
    assert copied[:, hole].max() < 0.9


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 30), (6, 6), (7, 9), (40, 12)])
def test_without_a_known_patch_the_fill_stays_smooth(height: int, width: int) -> None:
    image, hole = weave(height, width), torch.ones(height, width, dtype=torch.bool)
    hole[-1, -1] = height == 1
    assert torch.equal(add_detail(image, hole, hole), image)


HOLES = {
    "at a border": (0, 0, 25, 100),
    "in a corner": (60, 70, 81, 100),
    "most of it": (0, 0, 81, 88),
    "a scratch": (40, 0, 43, 100),
    "a pixel": (40, 50, 41, 51),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_known_pixels_stay_and_the_hole_gets_detail(hole: tuple[int, int, int, int], dtype: Any) -> None:
    highest = np.iinfo(dtype).max
    pixels = np.rint((weave(81, 100).permute(1, 2, 0).numpy() + 1) / 2 * highest).astype(dtype)
    mask = box(81, 100, *hole).numpy()
    inpainter = classical_inpainter("telea")
    plain, detailed = (fill_holes(inpainter, Picture(pixels), mask, kind=kind).pixels for kind in ("smooth", "detail"))
    assert detailed.dtype == dtype
    assert (detailed[~mask] == pixels[~mask]).all()
    assert mask.sum() < 9 or (detailed[mask] != plain[mask]).mean() > 0.3
    if dtype == np.uint16:
        assert mask.sum() < 9 or len(np.unique(detailed[mask] % 256)) > 100


def test_detail_is_for_what_leaves_it_out() -> None:
    inpainter = classical_inpainter("telea")
    assert [inpainter.choose(kind) for kind in (None, "smooth", "detail")] == ["smooth", "smooth", "detail"]
