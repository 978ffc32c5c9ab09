"""Poisson blending against closed forms and a dense solve."""

import numpy as np
import pytest
import torch
from torch import Tensor

from translate.inpainting.poisson import blend


def picture(seed: int, channels: int = 3, height: int = 14, width: int = 17) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def box(top: int, left: int, bottom: int, right: int, height: int = 14, width: int = 17) -> Tensor:
    hole = torch.zeros(1, height, width)
    hole[:, top:bottom, left:right] = 1
    return hole


HOLES = {
    "inside": box(3, 4, 10, 12),
    "at a border": box(0, 4, 10, 17),
    "two": (box(1, 1, 5, 6) + box(8, 9, 14, 12)).clamp(max=1),
    "nearly all": 1 - box(5, 5, 6, 6),
    "specks": (torch.rand(1, 14, 17, generator=torch.Generator().manual_seed(9)) < 0.3).float(),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_the_right_gradients_give_the_right_picture_whatever_their_level(hole: Tensor) -> None:
    truth = picture(0)
    offset = torch.tensor([0.3, -0.8, 0.05])[:, None, None]
    known = torch.where(hole > 0, torch.full_like(truth, 9.0), truth)  # what the hole held does not count
    assert torch.allclose(blend(known, truth + offset, hole), truth, atol=1e-4)


def test_without_gradients_a_slope_is_led_on_as_a_slope() -> None:
    slope = torch.linspace(-1, 1, 17).expand(1, 14, 17) + torch.linspace(0, 0.5, 14)[None, :, None]
    assert torch.allclose(blend(slope, torch.zeros(1, 14, 17), HOLES["inside"]), slope, atol=1e-4)


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_it_is_the_solution_of_the_equations_of_the_paper(hole: Tensor) -> None:
    known, fill = picture(1, 1), picture(2, 1)
    inside = hole[0].numpy() > 0
    places = {pixel: index for index, pixel in enumerate(zip(*np.nonzero(inside), strict=True))}
    matrix, right = np.zeros((len(places), len(places))), np.zeros(len(places))
    for (y, x), row in places.items():
        for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= other[0] < 14 and 0 <= other[1] < 17):
                continue
            matrix[row, row] += 1
            right[row] += float(fill[0, y, x] - fill[0][other])
            if other in places:
                matrix[row, places[other]] -= 1
            else:
                right[row] += float(known[0][other])
    expected = np.linalg.solve(matrix, right)
    assert np.allclose(blend(known, fill, hole)[0].numpy()[inside], expected, atol=1e-4)


def test_outside_nothing_changes_and_with_nothing_known_nothing_is_blended() -> None:
    known, fill, hole = picture(1), picture(2), HOLES["two"]
    assert torch.equal(blend(known, fill, hole)[:, hole[0] == 0], known[:, hole[0] == 0])
    assert torch.equal(blend(known, fill, torch.ones(1, 14, 17)), fill)
    assert torch.equal(blend(known, fill, torch.zeros(1, 14, 17)), known)


class OnApple(Tensor):
    """A tensor of a GPU without float64; on the host it is a usual one."""

    def double(self) -> Tensor:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")

    def cpu(self) -> Tensor:  # type: ignore[override]
        return self.as_subclass(Tensor)


def test_nothing_is_asked_of_a_gpu_that_it_does_not_have() -> None:
    known, fill, hole = picture(0), picture(1), HOLES["inside"]
    found = blend(*(tensor.as_subclass(OnApple) for tensor in (known, fill, hole)))
    assert torch.equal(found, blend(known, fill, hole))
    assert found.dtype == torch.float32
