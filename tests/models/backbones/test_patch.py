"""The discriminators of patches against the published ones: sizes, outputs, receptive fields."""

from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.backbones.blocks import Norm
from models.backbones.patch import PatchDiscriminator, SNPatchDiscriminator


@pytest.mark.parametrize(
    ("channels", "layers", "norm", "parameters"),
    [
        (6, 3, "batch", 2_768_705),
        (3, 3, "batch", 2_765_633),
        (3, 3, "instance", 2_764_737),
        (6, 3, "instance", 2_767_809),
        (6, 1, "batch", 139_585),
        (6, 2, "batch", 666_433),
        (6, 4, "batch", 6_964_033),
        (6, 5, "batch", 11_159_361),
        (6, 0, "batch", 9_024),
        (3, 0, "instance", 8_705),
    ],
)
def test_size_is_the_published_one(channels: int, layers: int, norm: Norm, parameters: int) -> None:
    with torch.device("meta"):
        network = PatchDiscriminator(channels, layers=layers, norm=norm)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("layers", "side"), [(0, 256), (1, 126), (2, 62), (3, 30), (4, 14), (5, 6)])
def test_map_of_scores_is_the_published_one(layers: int, side: int) -> None:
    with torch.device("meta"):
        scores = PatchDiscriminator(3, layers=layers)(torch.empty(2, 3, 256, 256))
    assert scores.shape == (2, 1, side, side)


def filled(channels: int, norm: Norm) -> PatchDiscriminator:
    """Give every tensor the value that its published name, `model` for our `layers`, stands for."""
    network = PatchDiscriminator(channels, norm=norm)
    for key, tensor in network.state_dict().items():
        seed = crc32(key.replace("layers.", "model.").encode())
        draws = np.random.RandomState(seed).standard_normal(tuple(tensor.shape))
        if tensor.ndim >= 2:
            draws /= np.sqrt(draws[0].size)
        elif key.endswith("running_var"):
            draws = 1 + 0.1 * np.abs(draws)
        elif key.endswith(("running_mean", "bias")):
            draws = 0.1 * draws
        elif tensor.ndim == 1:
            draws = 1 + 0.1 * draws
        else:
            draws = 0 * draws  # num_batches_tracked
        tensor.copy_(torch.as_tensor(draws))
    return network


def noise(channels: int) -> Tensor:
    return torch.as_tensor(np.random.RandomState(0).uniform(-1, 1, (1, channels, 256, 256)), dtype=torch.float32)


@pytest.mark.parametrize(
    ("channels", "norm", "training", "expected"),
    [
        (6, "batch", False, [0.165673, 0.102179, 0.47746, 0.53872]),
        (6, "batch", True, [0.140843, 0.655065, 1.3064, 2.01903]),
        (3, "instance", False, [0.134498, 0.627385, 1.01035, -0.73181]),
        (3, "instance", True, [0.134498, 0.627385, 1.01035, -0.73181]),
    ],
)
def test_published_weights_give_published_scores(
    channels: int, norm: Norm, training: bool, expected: list[float]
) -> None:
    with torch.inference_mode():
        scores = filled(channels, norm).train(training)(noise(channels))
    summary = [scores.mean().item(), scores.std(correction=0).item(), *scores.flatten()[:2].tolist()]
    assert summary == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("layers", "side"), [(0, 1), (1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_receptive_field_is_stated_and_true(layers: int, side: int) -> None:
    network = PatchDiscriminator(1, layers=layers, width=1, norm="none").double()
    assert network.receptive_field == side
    for parameter in network.parameters():  # positive weights, so that nothing cancels and no unit is dead
        nn.init.constant_(parameter, 1 / parameter[0].numel())
    # Only whole rows are changed, one at a time, so a narrow image will do; the middle score sees no border.
    height, width = 2 * side + 2 ** (layers + 3), network.minimum
    with torch.inference_mode():
        still = network(torch.zeros(1, 1, height, width, dtype=torch.float64))
        row = still.shape[2] // 2
        seen = [int(place) for place in range(height) if moves(network, place, height, width, still, row)]
    assert seen == list(range(seen[0], seen[0] + side))


def moves(network: nn.Module, place: int, height: int, width: int, still: Tensor, row: int) -> bool:
    image = torch.zeros(1, 1, height, width, dtype=torch.float64)
    image[:, :, place] = 1.0
    return not torch.equal(network(image)[:, :, row], still[:, :, row])


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("layers", [0, 1, 3, 4])
def test_any_size_from_the_minimum_works(layers: int, norm: Norm) -> None:
    network = PatchDiscriminator(2, layers=layers, width=2, norm=norm)
    for height, width in [(0, 0), (0, 7), (33, 1)]:
        scores = network(torch.rand(1, 2, network.minimum + height, network.minimum + width))
        assert scores.shape[:2] == (1, 1)
        assert scores.isfinite().all()


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_nothing_below_the_minimum_works(layers: int) -> None:
    network = PatchDiscriminator(2, layers=layers, width=2)
    with pytest.raises((RuntimeError, ValueError), match=r"spatial|[Kk]ernel"):
        network(torch.rand(1, 2, network.minimum - 1, network.minimum - 1))


def test_outputs_do_not_depend_on_the_rest_of_the_batch() -> None:
    network = PatchDiscriminator(3, width=4)
    images = torch.rand(3, 3, 40, 48)
    with torch.inference_mode():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-6)


def test_scores_are_logits() -> None:
    network = PatchDiscriminator(1, layers=0, width=1, norm="none")
    for parameter in network.parameters():
        nn.init.constant_(parameter, 3.0)
    assert network(torch.ones(1, 1, 1, 1)).item() > 1


@pytest.mark.parametrize("layers", [0, 2])
def test_spectral_weights_have_norm_one(layers: int) -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(3, layers=layers, width=4, norm="none", spectral=True)
    for _ in range(50):  # a power iteration each
        network(torch.rand(1, 3, 16, 16))
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == (layers + 2 if layers else 3)
    for layer in convolutions:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, rel=1e-2)


def test_spectral_weights_survive_two_forwards_and_half_precision() -> None:
    network = PatchDiscriminator(3, layers=1, width=4, spectral=True)
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(torch.rand(1, 3, 16, 16)), network(torch.rand(1, 3, 16, 16))
    (scores[0].float().mean() - scores[1].float().mean()).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_sn_patchgan_has_the_published_size_and_map_of_scores() -> None:
    with torch.device("meta"):
        network = SNPatchDiscriminator(4)
        scores = network(torch.empty(1, 4, 256, 256))
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_946_816
    assert scores.shape == (1, 256, 4, 4)
    assert scores.numel() == 4096


def test_sn_patchgan_is_five_by_five_convolutions_whose_largest_singular_value_is_one() -> None:
    torch.manual_seed(0)
    network = SNPatchDiscriminator(4, layers=2, width=3)
    image = torch.randn(2, 4, 16, 16)
    with torch.no_grad():
        for _ in range(200):  # so that the estimate of the norms settles
            network(image)
        scores = network.eval()(image)
        expected = image
        for layer in network.layers[::2]:
            assert isinstance(layer, nn.Conv2d)
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)
            expected = nn.functional.conv2d(expected, layer.weight, layer.bias, stride=2, padding=2)
            expected = torch.where(expected > 0, expected, 0.2 * expected)  # also after the last
    torch.testing.assert_close(scores, expected)
