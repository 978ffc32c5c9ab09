"""The statistics of norms are added up in float64, which Apple's GPUs do not have: so on the host."""

import pytest
import torch
from torch import Tensor, nn

from translate.inference import tile_norms


class OnApple(Tensor):
    """A tensor of a GPU without float64; on the host it is a usual one."""

    def double(self) -> Tensor:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")

    def cpu(self) -> Tensor:  # type: ignore[override]
        return self.as_subclass(Tensor)


@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_of_parts_is_that_of_the_whole_on_any_gpu(affine: bool) -> None:
    torch.manual_seed(0)
    norm, features = nn.InstanceNorm2d(4, affine=affine), torch.randn(1, 4, 6, 10) * 3 + 7
    statistics = tile_norms._Statistics()
    for part in features.split(4, dim=3):
        statistics.add(part.as_subclass(OnApple))
    found = statistics.normalize(norm, features.as_subclass(OnApple))
    assert torch.allclose(found.as_subclass(Tensor), norm(features), atol=1e-5)
