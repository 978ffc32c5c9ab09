"""Upscalers against the published ones: sizes, outputs, margins, initialization."""

import re
from collections.abc import Callable
from zlib import crc32

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.backbones import upscalers
from models.backbones.residual_upscalers import EDSR, MSRResNet
from models.backbones.span import SPAN
from models.backbones.upconv import UpConv7
from models.backbones.upscalers import CompactChain, RRDBNet, SRDiscriminator, SRResNet, initialize_as_nearest

SIZES: list[tuple[Callable[[], nn.Module], int]] = [
    (lambda: SRResNet(4), 1_549_462),
    (lambda: SRResNet(2), 1_401_749),
    (lambda: SRDiscriminator(96), 23_565_505),
    (lambda: RRDBNet(4), 16_697_987),
    (lambda: RRDBNet(2), 16_703_171),
    (lambda: RRDBNet(1), 16_723_907),
    (lambda: RRDBNet(4, blocks=6), 4_467_779),
    (lambda: CompactChain(4), 621_424),
    (lambda: MSRResNet(2), 1_369_859),
    (lambda: MSRResNet(3), 1_554_499),
    (lambda: EDSR(4), 1_517_571),
    (lambda: EDSR(4, blocks=32, width=256), 43_089_923),
    (lambda: CompactChain(4, depth=32), 1_213_296),
    (lambda: CompactChain(2), 600_652),
    (lambda: CompactChain(3), 609_307),
    (lambda: CompactChain(2, shuffle=4), 621_424),
    (UpConv7, 552_483),
]
Upscaler = SRResNet | MSRResNet | EDSR | RRDBNet | CompactChain | SPAN | UpConv7
SMALL: dict[str, Callable[[], Upscaler]] = {
    "srresnet-2": lambda: SRResNet(2, blocks=0, width=2),
    "srresnet-3": lambda: SRResNet(3, blocks=1, width=2),
    "srresnet-4": lambda: SRResNet(4, blocks=2, width=2),
    "rrdb-1": lambda: RRDBNet(1, blocks=1, width=2, growth=2),
    "rrdb-2": lambda: RRDBNet(2, blocks=1, width=2, growth=2),
    "rrdb-4": lambda: RRDBNet(4, blocks=2, width=2, growth=2),
    "rrdb-1-unfolded": lambda: RRDBNet(1, fold=1, blocks=1, width=2, growth=2),
    "rrdb-2-unfolded": lambda: RRDBNet(2, fold=1, blocks=1, width=2, growth=2),
    "msrresnet-1": lambda: MSRResNet(1, blocks=1, width=2),
    "msrresnet-2": lambda: MSRResNet(2, blocks=0, width=2),
    "msrresnet-3": lambda: MSRResNet(3, blocks=1, width=2),
    "msrresnet-4": lambda: MSRResNet(4, blocks=2, width=2),
    "edsr-1": lambda: EDSR(1, blocks=1, width=2),
    "edsr-2": lambda: EDSR(2, blocks=0, width=2),
    "edsr-3": lambda: EDSR(3, blocks=1, width=2),
    "edsr-4": lambda: EDSR(4, blocks=2, width=2, residual_weight=0.1),
    "compact-1": lambda: CompactChain(1, depth=1, width=2),
    "compact-2": lambda: CompactChain(2, depth=0, width=2),
    "compact-3": lambda: CompactChain(3, depth=1, width=2),
    "compact-4": lambda: CompactChain(4, depth=3, width=2),
    "compact-2-of-4": lambda: CompactChain(2, depth=1, width=2, shuffle=4),
    "compact-3-of-4": lambda: CompactChain(3, depth=1, width=2, shuffle=4),
    "upconv": lambda: UpConv7(width=1),
    "span-1": lambda: SPAN(1, blocks=1, width=2, expansion=2),
    "span-2": lambda: SPAN(2, blocks=0, width=2),
    "span-3": lambda: SPAN(3, blocks=1, width=3, expansion=1),
    "span-4": lambda: SPAN(4, blocks=2, width=2, expansion=2),
}


@pytest.fixture(params=SMALL)
def network(request) -> Upscaler:
    torch.manual_seed(0)
    return SMALL[request.param]()


@pytest.mark.parametrize(("build", "parameters"), SIZES)
def test_size_is_the_published_one(build: Callable[[], nn.Module], parameters: int) -> None:
    with torch.device("meta"):
        network = build()
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def published_rrdb_key(key: str) -> str:
    """As ESRGAN's and Real-ESRGAN's files call it."""
    key = re.sub(
        r"^blocks\.(\d+)\.blocks\.(\d)\.layers\.(\d)",
        lambda m: f"body.{m[1]}.rdb{int(m[2]) + 1}.conv{int(m[3]) + 1}",
        key,
    )
    key = re.sub(r"^up\.(\d)", lambda m: f"conv_up{int(m[1]) + 1}", key)
    for ours, theirs in (("first", "conv_first"), ("last", "conv_body"), ("detail", "conv_hr"), ("tail", "conv_last")):
        key = re.sub(rf"^{ours}\.", f"{theirs}.", key)
    return key


def published_compact_key(key: str) -> str:
    return key.replace("layers.", "body.")


PUBLISHED = [
    (lambda: RRDBNet(4), published_rrdb_key, [14.790113, 8.872246, -0.18299, 0.70859]),
    (lambda: RRDBNet(4, blocks=6), published_rrdb_key, [0.713025, 0.427772, 0.13059, 0.18188]),
    (lambda: CompactChain(4), published_compact_key, [0.438272, 0.474782, 0.37342, 0.82245]),
]


@pytest.mark.parametrize(("build", "renamed", "expected"), PUBLISHED, ids=["rrdb-23", "rrdb-6", "compact-16"])
def test_published_weights_give_published_outputs(build, renamed, expected) -> None:
    network = build().eval()
    for key, tensor in network.state_dict().items():
        draws = np.random.RandomState(crc32(renamed(key).encode())).standard_normal(tuple(tensor.shape))
        if tensor.ndim > 1:
            filled = draws / np.sqrt(draws[0].size)
        else:
            filled = 0.1 * draws if key.endswith("bias") else 1 + 0.1 * draws
        tensor.copy_(torch.as_tensor(filled))
    image = torch.as_tensor((np.random.RandomState(0).uniform(-1, 1, (1, 3, 16, 16)) + 1) / 2, dtype=torch.float32)
    with torch.inference_mode():
        output = network(image)
    summary = [output.mean().item(), output.std(correction=0).item(), *output.flatten()[:2].tolist()]
    assert summary == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_margin_is_how_far_a_pixel_reaches(network: Upscaler) -> None:
    network.double().eval()
    for name, parameter in network.named_parameters():  # positive, so that nothing cancels; no bias, so that a trace
        start = 0.0 if name.endswith("bias") else 0.5  # of a reach is not lost beside it
        nn.init.constant_(parameter, start / parameter[0].numel() if parameter.ndim > 1 else start)
    if isinstance(network, EDSR):
        network.mean.zero_()  # or else every activation is negative, and dead
    side = 4 * (network.margin // 2 + 4)
    places = torch.arange(side // 2, side // 2 + 4)
    image = torch.zeros(5, 3, side, side, dtype=torch.float64)
    image[torch.arange(1, 5), :, places, places] = 1.0  # the first image is unchanged
    with torch.inference_mode():
        output = network(image)
    assert output.shape[-1] == network.scale * side
    offsets = []
    for place, changed in zip(places, (output[1:] != output[:1]).any(dim=1), strict=True):
        for axis in (0, 1):
            seen_by = changed.any(dim=axis).nonzero() // network.scale  # the input pixel that an output pixel lies in
            offsets.append(seen_by - place)
    assert torch.cat(offsets).abs().max() == network.margin


def test_strips_are_the_whole_picture(monkeypatch) -> None:
    torch.manual_seed(0)
    network = RRDBNet(4, blocks=1, width=4, growth=4).double()
    image = torch.rand(2, 3, 21, 9, dtype=torch.float64)
    expected = network(image)  # with gradients, in one piece
    monkeypatch.setattr(upscalers, "PIXELS_PER_STRIP", 4 * 9)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), expected.detach(), rtol=0, atol=1e-12)
        monkeypatch.setattr(upscalers, "STRIP_MARGIN", 1)
        assert (network(image) - expected).abs().max() > 1e-4  # fewer rows would show


def test_any_multiple_from_the_minimum_works(network: Upscaler) -> None:
    network.eval()
    step = network.multiple
    for height, width in [(network.minimum, network.minimum), (step, 7 * step), (5 * step, 3 * step)]:
        output = network(torch.rand(1, 3, height, width))
        assert output.shape == (1, 3, network.scale * height, network.scale * width)
        assert output.isfinite().all()


@pytest.mark.parametrize("factor", [2, 3])
def test_a_shuffle_starts_by_repeating_pixels(factor: int) -> None:
    convolution = nn.Conv2d(5, 4 * factor**2, 3, padding=1)
    initialize_as_nearest(convolution, factor)
    shuffled = nn.functional.pixel_shuffle(convolution(torch.rand(1, 5, 6, 7)), factor)
    small = shuffled[..., ::factor, ::factor]
    assert torch.equal(shuffled, small.repeat_interleave(factor, 2).repeat_interleave(factor, 3))
    assert small.std() > 0.1


def test_every_parameter_learns(network: nn.Module) -> None:
    network(torch.rand(2, 3, 8, 8)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_the_discriminator_gives_one_score_per_image() -> None:
    discriminator = SRDiscriminator(32, width=2, dense=3)
    scores = discriminator(torch.rand(3, 3, 32, 32))
    assert scores.shape == (3, 1)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def test_the_compact_chain_learns_from_the_start() -> None:
    torch.manual_seed(0)
    network = CompactChain(2, depth=8, width=12)
    large = F.interpolate(torch.rand(8, 3, 8, 8), (48, 48), mode="bicubic").clamp(0, 1)
    small = F.interpolate(large, scale_factor=0.5, mode="bicubic", antialias=True)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    untrained = F.l1_loss(network(small), large)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.l1_loss(network(small), large)
        loss.backward()
        optimizer.step()
    assert loss < 0.3 * untrained
