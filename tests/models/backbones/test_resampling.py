"""Bicubic shrinking against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from models.backbones.resampling import BicubicShrink


@pytest.mark.parametrize(("block", "size"), [(4, 3), (4, 2), (4, 1), (3, 2), (3, 1), (2, 1)])
def test_it_is_torchs_interpolation(block: int, size: int) -> None:
    image = torch.rand(2, 3, 5 * block, 3 * block, dtype=torch.float64)
    expected = F.interpolate(image, size=[5 * size, 3 * size], mode="bicubic")
    torch.testing.assert_close(BicubicShrink(block, size).double()(image), expected, rtol=0, atol=1e-6)


def test_bfloat16_keeps_its_digits() -> None:
    shrink, image = BicubicShrink(4, 3), torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        output = shrink(image)
    assert torch.equal(output, shrink(image))
