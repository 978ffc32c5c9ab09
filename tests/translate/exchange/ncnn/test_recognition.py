"""Models of ncnn compute the same here as in ncnn itself, and what is none of the known ones is refused in words."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from datasets.codecs.images import read_picture
from models.backbones.upscalers import RRDBNet
from models.contract import Translator
from translate.exchange.importing import import_model, resolve_model
from translate.exchange.ncnn.recognition import recognize_ncnn
from translate.inference.model_file import ModelError, load_network, read_card

MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "compact-4": ("compact", {}, "SRVGGNetCompact (Real-ESRGAN) x4, 3 convolutions, from ncnn"),
    "compact-2": ("compact", {"shuffle": 2}, "SRVGGNetCompact (Real-ESRGAN) x2, 3 convolutions, from ncnn"),
    "compact-3-of-4": ("compact", {"shrink": "7.500000e-01"}, "SRVGGNetCompact (Real-ESRGAN) x3, 3 convolutions"),
    "compact-2-of-4": ("compact", {"shrink": "0.5"}, "SRVGGNetCompact (Real-ESRGAN) x2, 3 convolutions, from ncnn"),
    "upconv": ("upconv", {}, "waifu2x's upconv_7 x2, from ncnn"),
    "rrdb": ("rrdb", {"blocks": 2}, "RRDBNet (ESRGAN, Real-ESRGAN) x4, 2 blocks, from ncnn"),
}


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("name", MODELS)
def test_it_computes_what_ncnn_computes(name, half, drawers, run_ncnn, tmp_path) -> None:
    drawer, settings, description = MODELS[name]
    path = drawers[drawer](half=half, **settings).write(tmp_path / "any-name.param")
    written = import_model(path, tmp_path / "model.safetensors")
    card = read_card(written)
    assert card.origin is not None
    assert (card.origin.file, card.origin.architecture[: len(description)]) == ("any-name.bin", description)
    network, _ = load_network(written)
    image = torch.rand(1, 3, 14, 17, generator=torch.Generator().manual_seed(0))
    # waifu2x's program, not its network, adds the pixels that the network takes away.
    expected = run_ncnn(path, F.pad(image, (7, 7, 7, 7), mode="replicate") if drawer == "upconv" else image)
    with torch.inference_mode():
        output = (network(2 * image - 1) + 1) / 2
    assert expected.std() > 0.05
    torch.testing.assert_close(output, expected, rtol=0, atol=2e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_a_file_of_pnnx_is_read(run_ncnn, tmp_path, monkeypatch) -> None:
    """It multiplies and adds apart, joins joined features once more, stores float16 and folds pixels by Reorg."""
    import pnnx

    monkeypatch.chdir(tmp_path)  # where pnnx writes
    torch.manual_seed(0)
    network, image = RRDBNet(2, blocks=1, width=4, growth=2).eval(), torch.rand(1, 3, 16, 12)
    with contextlib.redirect_stdout(io.StringIO()):
        pnnx.export(network, "small.pt", (image,))
    found = recognize_ncnn(tmp_path / "small.ncnn.param")
    assert found.description == "RRDBNet (ESRGAN, Real-ESRGAN) x2, 1 blocks, from ncnn"
    imported = found.model.translator().eval()
    assert isinstance(imported, Translator)
    imported.load_state_dict(found.tensors)
    with torch.inference_mode():
        output = (imported(2 * image - 1) + 1) / 2
        torch.testing.assert_close(output, run_ncnn(tmp_path / "small.ncnn.param", image), rtol=0, atol=2e-5)
        torch.testing.assert_close(output, network(image), rtol=0, atol=2e-3)


def test_either_file_stands_for_the_model(drawers, tmp_path, command) -> None:
    path = drawers["compact"](shrink="0.5").write(tmp_path / "small-x2.param")
    assert resolve_model(path) == resolve_model(path.with_suffix(".bin"))
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(np.full((5, 7, 3), 128, np.uint8)).save(photos / "a.png")
    command("upscale", photos, tmp_path / "out", "--model", path, "--device", "cpu")
    assert read_picture(tmp_path / "out" / "a.png").width == 14
    # Files with the same layers are told apart by their weights.
    other = drawers["compact"](shrink="0.5", half=True).write(tmp_path / "other.param")
    assert resolve_model(other) != resolve_model(path)


CHANGES = {  # of the text of a .param, and what is said
    "another slope": ("-23310=1,0.100000", "-23310=1,0.2", r"nearest is waifu2x's upconv_7 x2, from which it differs"),
    "padding": (
        "5=1 6=54 ",
        "5=1 6=54 4=1 ",
        r"differs at layer1: convolution 2x3x3x3 padding 1, expected .* padding 0",
    ),
    "stride": (
        "3=2 4=3",
        "3=1 4=3",
        r"differs at layer7: deconvolution 3x32x4x4 stride 1 padding 3, expected .* stride 2",
    ),
    "8-bit weights": ("5=1 6=54", "5=1 6=54 8=1", r"differs at layer1: .* parameter 8=1"),
    "another kind": (
        "Convolution      layer1",
        "Swish            layer1",
        r"has layers of the kind Swish, so it is no",
    ),
    "not connected": (" c0 c1", " c9 c1", r"damaged: layer2 takes c9, which no layer before it makes"),
    "two outputs": (" c0 c1", " data c1", r"damaged: it has 2 outputs"),
    "odd kernel": ("5=1 6=54", "5=1 6=55", r"damaged: layer1 has 55 weights, which are no 2 kernels"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_graph_is_refused(name, drawers, tmp_path) -> None:
    old, new, sentence = CHANGES[name]
    path = drawers["upconv"]().write(tmp_path / "model.param")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ModelError, match=sentence):
        recognize_ncnn(path)


def test_a_skip_with_another_weight_is_refused(drawers, tmp_path) -> None:
    path = drawers["rrdb"]().write(tmp_path / "model.param")
    path.write_text(path.read_text().replace("-23301=2,2.000000e-01,1", "-23301=2,3.000000e-01,1", 1))
    with pytest.raises(
        ModelError, match=r"nearest is RRDBNet .* x4, 1 blocks, .* between weights 6 and its layer layer"
    ):
        recognize_ncnn(path)


def test_what_is_missing_at_the_end_is_refused(drawers, tmp_path) -> None:
    model = drawers["compact"](shrink="0.6")
    with pytest.raises(ModelError, match=r"nearest is SRVGGNetCompact .*, after whose last weights it differs"):
        recognize_ncnn(model.write(tmp_path / "model.param"))
    model.lines = [("Input", "", "data", ""), ("ReLU", "data", "output", "")]
    with pytest.raises(ModelError, match="has no convolutions"):
        recognize_ncnn(model.write(tmp_path / "model.param"))


def test_cunet_is_named(drawers, tmp_path) -> None:
    model = drawers["upconv"]()
    model.add("Pooling", "output", "end", "0=0 1=2 2=2")
    with pytest.raises(ModelError, match=r"U-Net such as waifu2x's cunet .*; of waifu2x, take one of"):
        recognize_ncnn(model.write(tmp_path / "model.param"))
