"""Tiles put together are the whole picture, for every network that can be tiled; scarce memory changes nothing."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from datasets.errors import UserError
from models.apply import translate_batch
from models.backbones.resnet import ResNetGenerator
from models.backbones.span import SPAN
from models.backbones.stargan_networks import StarGenerator
from models.backbones.unet import UNet
from models.backbones.upconv import UpConv7
from models.backbones.upscalers import CompactChain, RRDBNet, SRResNet
from models.baselines.bicubic import BicubicUpscaler
from models.contract import Translator
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.hardware import Numerics
from translate.inference import tiling
from translate.inference.model import Model
from translate.inference.model_file import Card
from translate.inference.tile_norms import reduced_norms
from translate.inference.tiles import SMALLEST_TILE, Tiles
from translate.inference.tiling import Norms, check_tile, tile_problem, tile_side, translate_tiled


class Wrapped(Translator):
    """A backbone as a translator, its output brought into the range in which differences are seen."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.margin, self.multiple, self.minimum = backbone.margin, backbone.multiple, backbone.minimum
        self.scale = getattr(backbone, "scale", 1)
        self.global_norm = getattr(backbone, "global_norm", False)

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        output: Tensor = self.backbone(image)
        return torch.sin(3 * output)


class Aimed(nn.Module):
    """StarGAN's generator, with a label."""

    def __init__(self, generator: StarGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.margin, self.multiple, self.minimum = generator.margin, generator.multiple, generator.minimum
        self.global_norm = True

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.generator(image, torch.tensor([[0.3, 1.0]]))
        return output


BUILDERS: dict[str, Callable[[], Translator]] = {
    "srresnet-2": lambda: Wrapped(SRResNet(2, blocks=1, width=4)),
    "srresnet-3": lambda: Wrapped(SRResNet(3, blocks=0, width=4)),
    "srresnet-4": lambda: Wrapped(SRResNet(4, blocks=2, width=4)),
    "rrdb-1": lambda: Wrapped(RRDBNet(1, blocks=1, width=4, growth=2)),
    "rrdb-2": lambda: Wrapped(RRDBNet(2, blocks=1, width=4, growth=2)),
    "rrdb-4": lambda: Wrapped(RRDBNet(4, blocks=1, width=4, growth=2)),
    "compact-2": lambda: Wrapped(CompactChain(2, depth=2, width=4)),
    "compact-3": lambda: Wrapped(CompactChain(3, depth=1, width=4)),
    "compact-4": lambda: Wrapped(CompactChain(4, depth=4, width=4)),
    "compact-3-of-4": lambda: Wrapped(CompactChain(3, depth=2, width=4, shuffle=4)),
    "upconv": lambda: Wrapped(UpConv7(width=2)),
    "span-1": lambda: Wrapped(SPAN(1, blocks=2, width=4)),
    "span-4": lambda: Wrapped(SPAN(4, blocks=2, width=4)),
    "bicubic-3": lambda: BicubicUpscaler(3),
    "unet": lambda: Wrapped(UNet(3, 3, depth=3, width=4, norm="none")),
    "unet-batch-resize": lambda: Wrapped(UNet(3, 3, depth=2, width=4, norm="batch", upsampling="resize")),
    "resnet": lambda: Wrapped(ResNetGenerator(blocks=1, width=4, norm="none")),
    "unet-instance": lambda: Wrapped(UNet(3, 3, depth=3, width=4)),
    "resnet-instance": lambda: Wrapped(ResNetGenerator(blocks=1, width=4)),
    "stargan": lambda: Wrapped(Aimed(StarGenerator(3, 2, blocks=1, width=4))),
    "stargan-resize": lambda: Wrapped(Aimed(StarGenerator(3, 2, blocks=1, width=4, upsampling="resize"))),
    "resnet-batch-resize": lambda: Wrapped(ResNetGenerator(blocks=2, width=4, norm="batch", upsampling="resize")),
}


@pytest.fixture(params=BUILDERS)
def translator(request) -> Translator:
    torch.manual_seed(1)
    network = BUILDERS[request.param]()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=1.4 / math.sqrt(parameter[0].numel()))
    return network.eval()


def whole(network: Translator) -> Callable[[Tensor], Tensor]:
    return lambda image: translate_batch(network, image)


@pytest.mark.parametrize(("height", "width"), [(97, 131), (64, 101), (33, 35), (1, 83), (128, 128)])
@pytest.mark.parametrize("side", [32, 47])
def test_tiles_put_together_are_the_whole_picture(translator, height, width, side) -> None:
    image = torch.rand(3, height, width) * 2 - 1
    expected = whole(translator)(image[None])[0]
    output = translate_tiled(whole(translator), translator, image, side)
    assert output.shape == expected.shape == (3, translator.scale * height, translator.scale * width)
    assert expected.std() > 0.05  # or else equality would show little
    assert (output - expected).abs().max() / 2 < 1 / 255
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)


def test_a_smaller_margin_would_show(translator) -> None:
    image = torch.rand(3, 96, 96) * 2 - 1
    expected = whole(translator)(image[None])[0]
    translator.margin = 0
    output = translate_tiled(whole(translator), translator, image, 32)
    assert (output - expected).abs().max() > 1e-3


@pytest.mark.parametrize("k", [0, 1, 5, 11])
def test_memory_that_runs_out_at_tile_k_changes_nothing(translator, k) -> None:
    image = torch.rand(3, 250, 130) * 2 - 1
    expected = translate_tiled(whole(translator), translator, image, 64)
    seen: list[int] = []

    def run_short(image: Tensor) -> Tensor:
        seen.append(image.shape[-1])
        if len(seen) == k + 1:
            raise torch.OutOfMemoryError("injected")
        return translate_batch(translator, image)

    output = translate_tiled(run_short, translator, image, 64)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)
    assert len(seen) > 12  # 4 x 3 tiles at the least, and what was tried in vain once more


def test_memory_that_never_suffices_is_an_error_and_no_endless_loop() -> None:
    sides: list[int] = []

    def run_never(image: Tensor) -> Tensor:
        sides.append(max(image.shape))
        raise torch.OutOfMemoryError("injected")

    with pytest.raises(torch.OutOfMemoryError):
        translate_tiled(run_never, BicubicUpscaler(2), torch.zeros(3, 500, 300), 256)
    assert sides == sorted(sides, reverse=True)
    assert sides[-1] <= SMALLEST_TILE + 4


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def run_broken(image: Tensor) -> Tensor:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        translate_tiled(run_broken, BicubicUpscaler(2), torch.zeros(3, 64, 64), 32)


def test_no_tile_is_larger_than_asked_for_with_its_surroundings(translator) -> None:
    largest = 0

    def run_watched(image: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, *image.shape[-2:])
        return translate_batch(translator, image)

    translate_tiled(run_watched, translator, torch.zeros(3, 300, 200), 64)
    room = 2 * (translator.margin + translator.multiple)
    assert largest <= max(64 + room, translator.minimum)


def test_a_huge_result_lies_in_a_file(monkeypatch) -> None:
    image = torch.rand(3, 70, 90) * 2 - 1
    expected = translate_tiled(whole(BicubicUpscaler(2)), BicubicUpscaler(2), image, 32)
    monkeypatch.setattr(tiling, "MEMORY_LIMIT", 1000)
    output = translate_tiled(whole(BicubicUpscaler(2)), BicubicUpscaler(2), image, 32)
    assert isinstance(output.numpy().base, object)
    assert torch.equal(output, expected)


def test_what_cannot_be_tiled_says_why() -> None:
    unbounded, drawing, single = BicubicUpscaler(2), BicubicUpscaler(2), BicubicUpscaler(2)
    unbounded.margin, drawing.draws, single.only_size = None, True, 64
    for network, why in ((unbounded, "whole picture"), (drawing, "random"), (single, "64x64")):
        assert why in (tile_problem(network) or "")
        assert tile_side(network, 10**5, 10**5) is None
        check_tile(network, "auto")
        with pytest.raises(UserError, match=r"`tile` 64: .*leave it at auto"):
            check_tile(network, 64)
    check_tile(BicubicUpscaler(2), 64)


def test_norms_of_the_whole_picture_are_tiled_where_asked_or_needed_alone() -> None:
    network = Wrapped(ResNetGenerator(blocks=0, width=2))
    assert tile_problem(network) is None
    assert tile_side(network, 10**5, 10**5) is None
    assert tile_side(network, 300, 300, 64) == 64
    assert tile_side(network, 10**5, 10**5, norms="reduced") is not None
    check_tile(network, "auto", "reduced")
    with pytest.raises(UserError, match="`norms` reduced: this model has no norms over the whole picture"):
        check_tile(BicubicUpscaler(2), "auto", "reduced")


@pytest.mark.parametrize("name", ["unet-instance", "resnet-instance", "stargan"])
def test_norms_are_as_before_once_the_tiles_are_done(name: str) -> None:
    network = BUILDERS[name]().eval()
    image = torch.rand(3, 80, 72) * 2 - 1
    before = network(image[None])
    translate_tiled(whole(network), network, image, 32)
    assert torch.equal(network(image[None]), before)

    def run_broken(image: Tensor) -> Tensor:
        network(image)
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        translate_tiled(run_broken, network, image, 32)
    assert torch.equal(network(image[None]), before)


@pytest.mark.parametrize("name", ["unet-instance", "resnet-instance", "stargan"])
def test_norms_of_a_reduced_copy_cost_one_pass_and_leave_no_seams(name: str) -> None:
    network = BUILDERS[name]().eval()
    image = torch.rand(3, 160, 192) * 2 - 1
    before = whole(network)(image[None])[0]
    passes: list[torch.Size] = []

    def run_counted(image: Tensor) -> Tensor:
        passes.append(image.shape)
        return whole(network)(image)

    output = translate_tiled(run_counted, network, image, 96, "reduced")
    assert len(passes) == 1 + 4
    assert max(passes[0][-2:]) == 96
    with reduced_norms(Tiles(whole(network), network, image[None], 96)):
        expected = whole(network)(image[None])[0]  # the same statistics, in one piece
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)
    assert not torch.allclose(output, before, rtol=0, atol=1e-2)  # they are not the picture's own
    assert torch.equal(whole(network)(image[None])[0], before)  # and are gone again
    same = translate_tiled(whole(network), network, image, 192, "reduced")  # nothing is reduced
    torch.testing.assert_close(same, before, rtol=0, atol=1e-4)


@pytest.mark.parametrize("norms", ["exact", "reduced"])
def test_pictures_in_tiles_do_not_disturb_others_that_the_same_network_translates(norms: Norms) -> None:
    network = BUILDERS["resnet-instance"]().eval()
    images = [torch.rand(3, 64, 80) * 2 - 1 for _ in range(8)]

    def translated(item: tuple[int, Tensor]) -> Tensor:
        index, image = item
        if index % 2:
            return whole(network)(image[None])[0]
        return translate_tiled(whole(network), network, image, 32, norms)

    expected = [translated(item) for item in enumerate(images)]
    with ThreadPoolExecutor(4) as pool:
        output = list(pool.map(translated, enumerate(images)))
    for one, other in zip(output, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_auto_cuts_large_pictures_alone_and_costs_little() -> None:
    network = Wrapped(CompactChain(4, depth=12, width=2))
    side = tile_side(network, 4000, 6000)
    assert side is not None
    assert network.margin is not None
    assert ((side + 2 * network.margin) / side) ** 2 <= 1.15
    assert tile_side(network, 400, 500) is None
    assert tile_side(network, 400, 500, 64) == 64
    assert tile_side(network, 4000, 6000, "off") is None
    assert tile_side(Wrapped(UNet(3, 3, depth=3, width=2, norm="none")), 400, 500, 60) == 64


@pytest.fixture
def upscaler(tiny: Callable[..., Any]) -> Model:
    card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=16)
    return Model(BicubicUpscaler(2), card, "bicubic", torch.device("cpu"), Numerics("fp32", "contiguous", 1))


def test_a_folder_in_tiles_is_the_folder_in_one_piece(upscaler, photos: Path, tmp_path: Path) -> None:
    for name, tile in (("whole", "off"), ("tiles", 32)):
        outcomes = list(translate_folder(upscaler, photos, tmp_path / name, RunOptions(tile=tile)))
        assert {outcome.status for outcome in outcomes} == {"ok"}
    for path in photos.glob("*.png"):
        one, other = (np.asarray(Image.open(tmp_path / name / path.name)).astype(int) for name in ("whole", "tiles"))
        assert one.shape[0] > 0
        assert abs(one - other).max() <= 1


class LittleMemory(BicubicUpscaler):
    """Memory for 40 pixels on a side."""

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        if max(image.shape[-2:]) > 40:
            raise torch.OutOfMemoryError("injected")
        return super().forward(image, domain)


def test_a_picture_too_large_for_the_memory_is_tiled_by_itself(upscaler, tmp_path: Path) -> None:
    narrow = replace(upscaler, translator=LittleMemory(2))
    image = torch.rand(1, 3, 90, 70) * 2 - 1
    torch.testing.assert_close(narrow.run(image), upscaler.run(image), rtol=0, atol=1e-5)
    with pytest.raises(torch.OutOfMemoryError):
        narrow.run(image, tile="off")


def test_a_picture_for_which_memory_never_suffices_has_an_exit_code_of_its_own(
    command, model_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def narrow(model: Translator, image: Tensor, domain: int = 0) -> Tensor:
        if image.shape[-2] > 31:
            raise torch.OutOfMemoryError("injected")
        return translate_batch(model, image, domain)

    monkeypatch.setattr("translate.inference.model.translate_batch", narrow)
    ended = command("run", model_file, photos, tmp_path / "out")
    assert ended.code == 7
    assert "c.jpg: memory is not enough for 48x48 pixels" in ended.err
    assert "2 failed" not in ended.err
    assert (tmp_path / "out" / "a.png").exists()


def test_the_command_refuses_tiles_that_cannot_be(command, make_model, photos: Path, tmp_path: Path) -> None:
    noisy = ("model.generator.name=resnet", "model.generator.blocks=1", "model.generator.dropout=0.5")
    model = make_model(tmp_path / "model.safetensors", "model.dropout_at_inference=true", *noisy)
    ended = command("run", model, photos, tmp_path / "out", "--tile", "64")
    assert ended.code == 2
    assert "--tile 64: this model draws random numbers" in ended.err
    assert not (tmp_path / "out").exists()
    ended = command("run", model, photos, tmp_path / "out", "--tile", "small")
    assert ended.code == 2
    assert "--tile: expected auto, off, or 32 or more pixels on a side" in ended.err


def test_no_room_for_larger_pictures_is_said_before_the_first_write(upscaler, photos, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(UserError, match=r"pictures 2 times as large need about 0\.0 GiB, and only 0\.0 are free"):
        list(translate_folder(upscaler, photos, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
