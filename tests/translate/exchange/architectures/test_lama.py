"""LaMa's checkpoints become inpainters that compute what its authors' code computes."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datasets.codecs.images import read_picture
from models.inpainting import Inpainting
from models.networks.inpainters import LaMaConfig
from translate.exchange.architectures.contract import ArchitectureError, ImportOptions
from translate.exchange.architectures.lama import recognize_lama
from translate.exchange.architectures.nearest import KINDS, kind_of
from translate.exchange.importing import import_model
from translate.inference.model import load_model

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def published_names(blocks: int) -> list[str]:
    """The names of the authors' tensors, in the order in which ours come."""
    names = []

    def add(convolution: str, norms: list[str]) -> None:
        names.extend([f"{convolution}.weight"] if convolution else [])
        names.extend(f"{norm}.{kind}" for norm in norms for kind in BATCH_NORM)

    for layer in (1, 2, 3):
        add(f"model.{layer}.ffc.convl2l", [f"model.{layer}.bn_l"])
    add("model.4.ffc.convl2l", [])
    add("model.4.ffc.convl2g", ["model.4.bn_l", "model.4.bn_g"])
    for block in range(5, 5 + blocks):
        for half in ("conv1", "conv2"):
            root = f"model.{block}.{half}"
            for way in ("convl2l", "convl2g", "convg2l"):
                add(f"{root}.ffc.{way}", [])
            add(f"{root}.ffc.convg2g.conv1.0", [f"{root}.ffc.convg2g.conv1.1"])
            add(f"{root}.ffc.convg2g.fu.conv_layer", [f"{root}.ffc.convg2g.fu.bn"])
            add(f"{root}.ffc.convg2g.conv2", [f"{root}.bn_l", f"{root}.bn_g"])
    for layer in range(blocks + 6, blocks + 15, 3):
        names += [f"model.{layer}.weight", f"model.{layer}.bias"]
        add("", [f"model.{layer + 1}"])
    return [*names, f"model.{blocks + 16}.weight", f"model.{blocks + 16}.bias"]


def test_kinds_of_names_are_those_of_the_files():
    assert {kind_of(name) for name in published_names(2)} == KINDS["LaMa"]


def published_shapes(blocks: int, width: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        own = LaMaConfig(blocks=blocks, width=width).build().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in zip(published_names(blocks), own.values(), strict=True)}


def noise_with_a_hole(size: int) -> tuple[Tensor, Tensor]:
    image = torch.as_tensor(np.random.RandomState(0).uniform(-1, 1, (1, 3, size, size)), dtype=torch.float32)
    mask = torch.zeros(1, 1, size, size)
    mask[..., size // 4 : size * 5 // 8, size * 5 // 16 : size * 3 // 4] = 1
    return image, mask


def test_published_weights_give_published_outputs(fill):
    # Matrices at 0.6 of their usual size: else all outputs are 0 or 1.
    weights = {
        name: 0.6 * tensor if tensor.ndim > 1 else tensor for name, tensor in fill(published_shapes(18, 64)).items()
    }
    found = recognize_lama(weights, ImportOptions())
    assert found is not None
    assert found.description == "LaMa big, 18 blocks"
    with torch.device("meta"):
        network = found.model.translator()
    assert isinstance(network, Inpainting)
    network.load_state_dict(found.tensors, assign=True)
    with torch.inference_mode():
        (output,) = network.eval().run_stages(*noise_with_a_hole(128))
    pixels = ((output + 1) / 2).flatten()
    summary = [pixels.mean().item(), pixels.std(correction=0).item(), *pixels[:4].tolist(), pixels[-1].item()]
    assert summary == pytest.approx([0.494251, 0.021983, 0.48085, 0.54537, 0.49805, 0.49175, 0.49915], abs=1e-5)


def test_a_checkpoint_fills_a_folder_of_pictures(tmp_path, fill, command):
    state = {f"generator.{name}": tensor for name, tensor in fill(published_shapes(2, 4)).items()}
    state["discriminator.model0.0.weight"] = torch.zeros(4)
    torch.save({"state_dict": state, "epoch": 7}, tmp_path / "best.ckpt")
    (tmp_path / "photos").mkdir()
    pixels = np.random.RandomState(0).randint(0, 256, (70, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos" / "a.png")
    options = ("--box", "10,10,20,20", "--model", tmp_path / "best.ckpt", "--precision", "fp32")
    command("inpaint", tmp_path / "photos", tmp_path / "out", *options)
    filled = read_picture(tmp_path / "out" / "a.png").pixels
    assert (filled[:10] == pixels[:10]).all()
    assert (filled[10:30, 10:30] != pixels[10:30, 10:30]).any()


def test_names_may_begin_with_the_name_of_a_wrapper(fill):
    weights = {f"model.{name}": tensor for name, tensor in fill(published_shapes(1, 4)).items()}
    found = recognize_lama(weights, ImportOptions())
    assert found is not None
    assert found.tensors.keys() == found.model.translator().state_dict().keys()


def test_large_holes_are_filled_at_the_size_that_its_authors_work_at(tmp_path, fill):
    torch.save(fill(published_shapes(1, 4)), tmp_path / "lama.pth")
    model = load_model(import_model(tmp_path / "lama.pth", tmp_path / "lama.safetensors"), precision="fp32")
    assert model.translator.fills_holes
    assert model.card.trained_size == 512


def test_variants_that_are_not_built_are_refused(fill):
    shapes = published_shapes(1, 4)
    gray = fill({**shapes, "model.1.ffc.convl2l.weight": (4, 2, 7, 7)})
    with pytest.raises(ArchitectureError, match="LaMa for 2 channels"):
        recognize_lama(gray, ImportOptions())
    with pytest.raises(ArchitectureError, match="local Fourier units"):
        recognize_lama(
            fill({**shapes, "model.5.conv1.ffc.convg2g.lfu.conv_layer.weight": (8, 8, 1, 1)}), ImportOptions()
        )
    assert recognize_lama(fill({"conv.weight": (3, 3, 3, 3)}), ImportOptions()) is None
