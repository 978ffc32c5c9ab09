"""Published checkpoints become model files, once, and stand for them wherever a model is named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.codecs.images import read_picture
from translate.exchange.architectures.contract import ImportOptions
from translate.exchange.importing import import_model, imported_models, resolve_model
from translate.inference.model import load_model
from translate.inference.model_file import ModelError, read_card


def rrdb_shapes(blocks=1, width=8, growth=4, channels=3):
    """Names and shapes of RRDBNet, as BasicSR writes them."""
    convs = {"conv_first": (channels, width)}
    for block in range(blocks):
        for dense in (1, 2, 3):
            for conv in range(5):
                ends = (width + conv * growth, growth if conv < 4 else width)
                convs[f"body.{block}.rdb{dense}.conv{conv + 1}"] = ends
    convs |= dict.fromkeys(("conv_body", "conv_up1", "conv_up2", "conv_hr"), (width, width))
    convs["conv_last"] = (width, 3)
    return {
        f"{name}.{leaf}": (after, before, 3, 3) if leaf == "weight" else (after,)
        for name, (before, after) in convs.items()
        for leaf in ("weight", "bias")
    }


@pytest.fixture
def checkpoint(tmp_path, fill):
    path = tmp_path / "RealESRGAN_small.pth"
    torch.save({"params_ema": fill(rrdb_shapes()), "params": fill(rrdb_shapes(blocks=2))}, path)
    return path


def test_a_checkpoint_becomes_a_model_file(checkpoint, tmp_path):
    written = import_model(
        checkpoint, tmp_path / "out" / "model.safetensors", licence="BSD-3-Clause", source="https://x"
    )
    card = read_card(written)
    assert (card.step, card.metrics, card.licence) == (0, {}, "BSD-3-Clause")
    assert card.origin is not None
    assert (card.origin.file, card.origin.source) == ("RealESRGAN_small.pth", "https://x")
    assert card.origin.architecture == "RRDBNet (ESRGAN, Real-ESRGAN) x4, 1 blocks"
    assert load_model(written, device="cpu", precision="fp32").translator.scale == 4
    assert imported_models() == []


def test_a_checkpoint_is_converted_once(checkpoint, cache):
    first = Path(resolve_model(checkpoint))
    written = first.stat().st_mtime_ns
    assert resolve_model(str(checkpoint)) == first
    assert first.stat().st_mtime_ns == written
    assert imported_models() == [first]
    assert first.parent == cache / "imported"
    assert resolve_model(first) == first
    assert resolve_model("upscale-x4") == "upscale-x4"
    # What is asked for once is kept for every later use.
    assert import_model(checkpoint, licence="BSD-3-Clause") == first
    assert read_card(Path(resolve_model(checkpoint))).licence == "BSD-3-Clause"


def test_a_checkpoint_upscales_a_folder(checkpoint, tmp_path, command):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(np.full((5, 7, 3), 128, np.uint8)).save(photos / "a.png")
    done = command("upscale", photos, tmp_path / "out", "--model", checkpoint, "--device", "cpu")
    assert read_picture(tmp_path / "out" / "a.png").width == 28
    assert "RealESRGAN_small.pth is RRDBNet" in done.err


def test_half_a_checkpoint_is_refused(tmp_path, fill):
    shapes = rrdb_shapes()
    del shapes["conv_hr.weight"]
    torch.save(fill(shapes), tmp_path / "half.pth")
    with pytest.raises(ModelError, match=r"1 of its 42 tensors are missing, such as generator.detail.weight"):
        import_model(tmp_path / "half.pth")


def test_an_unknown_architecture_is_described(tmp_path):
    torch.save({"layer.weight": torch.zeros(2, 3)}, tmp_path / "strange.pth")
    with pytest.raises(
        ModelError, match=r"no architecture .*; its 1 tensors begin with layer.weight 2x3, and no known"
    ):
        import_model(tmp_path / "strange.pth")


def test_options_have_sentences():
    with pytest.raises(Exception, match="statistics"):
        ImportOptions(statistics="none")
