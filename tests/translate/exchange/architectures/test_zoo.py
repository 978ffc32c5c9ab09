"""spandrel's networks: imported, rebuilt from the model file, run whole and in tiles, or refused in a sentence."""

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datasets.codecs.images import read_picture
from datasets.errors import UserError
from models.zoo import ZooConfig, load_descriptor
from translate.exchange.architectures.contract import ArchitectureError, ImportOptions
from translate.exchange.architectures.zoo import recognize_zoo
from translate.exchange.importing import import_model
from translate.inference.model import Model, load_model
from translate.inference.model_file import ModelError

pytest.importorskip("spandrel")

TRANSFORMER = {"img_size": 16, "window_size": 8, "depths": [2], "embed_dim": 12, "num_heads": [2], "mlp_ratio": 2}
DIRECT = {"upscale": 2, "upsampler": "pixelshuffledirect"}
NETWORKS: dict[str, dict[str, Any]] = {
    "SwinIR": {**TRANSFORMER, **DIRECT},
    "Swin2SR": {**TRANSFORMER, **DIRECT},
    "SPAN": {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2},
    "SAFMN": {"dim": 8, "n_blocks": 2, "upscaling_factor": 4},
    "DnCNN": {"in_nc": 1, "out_nc": 1, "nc": 8, "nb": 5},
    "OmniSR": {"num_feat": 8, "res_num": 1, "block_num": 1, "up_scale": 2},
    "DAT": {
        **DIRECT,
        **{"img_size": 16, "embed_dim": 16, "split_size": [4, 8], "depth": [1], "num_heads": [2]},
    },
    "FDAT": {"embed_dim": 16, "num_groups": 1, "depth_per_group": 1, "num_heads": 2, "scale": 2},
}
TILED = ("SwinIR", "Swin2SR", "SPAN", "SAFMN", "DnCNN")


def build_weights(name: str) -> dict[str, Tensor]:
    """Weights as the network itself draws them."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about how these networks are written
        network = getattr(importlib.import_module(f"spandrel.architectures.{name}"), name)
        weights: dict[str, Tensor] = network(**NETWORKS[name]).state_dict()
    return weights


@pytest.fixture
def convert(tmp_path):
    """Returns a function that imports a network, and the path of its model file."""

    def write(name: str, weights: dict[str, Tensor]) -> Path:
        torch.save({"params_ema": weights}, tmp_path / f"{name}.pth")
        return import_model(tmp_path / f"{name}.pth", tmp_path / f"{name}.safetensors")

    return write


def load(path: Path, precision: str = "fp32") -> Model:
    return load_model(path, device="cpu", precision=precision, threads=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_file_computes_what_spandrel_computes_whole_and_in_tiles(name, convert):
    weights = build_weights(name)
    model = load(convert(name, weights))
    translator = model.translator
    assert model.card.origin is not None
    assert f"{name} x{translator.scale}" in model.card.origin.architecture
    picture = 2 * torch.rand(1, translator.channels_in, 72, 88) - 1
    whole = model.run(picture, tile="off")
    expected = load_descriptor(name, weights)((picture + 1) / 2)
    torch.testing.assert_close((whole + 1) / 2, expected, atol=1e-5, rtol=0)
    assert (translator.margin is not None) == (name in TILED)
    if translator.margin is not None:
        torch.testing.assert_close(model.run(picture, tile=16), whole, atol=1e-4, rtol=0)


def test_it_upscales_a_folder(tmp_path, command):
    torch.save(build_weights("SPAN"), tmp_path / "2x_small.pth")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.full((9, 13), 128, np.uint8)).save(tmp_path / "photos" / "a.png")
    options = ("--model", tmp_path / "2x_small.pth", "--device", "cpu", "--precision", "fp32")
    command("upscale", tmp_path / "photos", tmp_path / "out", *options)
    large = read_picture(tmp_path / "out" / "a.png")
    assert (large.width, large.height, large.channels) == (26, 18, 1)


def test_precisions_are_spandrels(convert):
    weights = build_weights("Swin2SR")
    assert not load_descriptor("Swin2SR", weights).supports_half
    path = convert("Swin2SR", weights)
    assert load(path).translator.precisions == ("fp32", "bf16")
    with pytest.raises(UserError, match="`precision` fp16: this model computes in fp32 and bf16 only"):
        load(path, "fp16")


def test_bfloat16_is_not_tried_where_spandrel_says_no(monkeypatch):
    from translate.hardware import Numerics
    from translate.inference import precision

    config = recognize_zoo(build_weights("SPAN"), ImportOptions())
    assert config is not None
    assert isinstance(config.model, ZooConfig)
    network = config.model.model_copy(update={"precisions": ("fp32",)}).translator().eval()
    monkeypatch.setattr(precision, "native_bfloat16", lambda device: True)
    chosen = precision.choose_inference(network, "digest", Numerics("fp32", "contiguous", 1), torch.device("cpu"))
    assert (chosen.precision, chosen.layout) == ("fp32", "contiguous")


def test_what_does_not_fit_is_refused_in_a_sentence(monkeypatch):
    weights = build_weights("SPAN")
    with pytest.raises(ArchitectureError, match="looks like SPAN, but spandrel cannot build it"):
        recognize_zoo({**weights, "block_1.c1_r.sk.weight": torch.zeros(2, 3, 1, 1)}, ImportOptions())
    monkeypatch.setattr(ZooConfig, "empty_tensors", lambda config: {})
    with pytest.raises(ArchitectureError, match="a model file of it would compute otherwise"):
        recognize_zoo(weights, ImportOptions())
    assert recognize_zoo({"some.weight": torch.zeros(3)}, ImportOptions()) is None


def test_without_spandrel_a_sentence_says_what_to_install(convert, monkeypatch, tmp_path):
    path = convert("SPAN", build_weights("SPAN"))
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(UserError, match=r"pip install 'translate-images\[zoo\]'"):
        load(path)
    monkeypatch.setattr("translate.exchange.recognition.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"no architecture that can be imported.*translate-images\[zoo\]"):
        import_model(tmp_path / "SPAN.pth", tmp_path / "again.safetensors")


def test_such_a_network_is_not_trained():
    config = ZooConfig(architecture="SPAN", channels_in=3, channels_out=3, shapes={})
    with pytest.raises(UserError, match="cannot be trained"):
        config.recipe()
    with pytest.raises(UserError, match="does not know the architecture Nobody"):
        config.model_copy(update={"architecture": "Nobody"}).translator()
