"""Every format with tiny networks of the families that it carries, by its own runtime; what is refused, in words."""

import json
import logging
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import Tensor

from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import DomainError, Translator
from translate.exchange.exporting.export import FORMATS, build_subject, export_model, export_subject
from translate.exchange.exporting.onnx_format import load_session
from translate.exchange.exporting.verification import VerificationError, translate_unit
from translate.experiment import load_experiment
from translate.inference.model_file import Card, load_network, save_model

NARROW = "model.generator.width=4"
FAMILIES: dict[str, tuple[str, ...]] = {
    "unet": ("pix2pix", NARROW, "model.generator.depth=3"),
    "unet-batch": (
        *("pix2pix", NARROW, "model.generator.depth=3", "model.generator.norm=batch"),
        "model.generator.upsampling=resize",
    ),
    "gray": ("colorize", NARROW, "model.generator.depth=2"),
    "cyclegan": ("cyclegan", NARROW, "model.generator.blocks=1"),
    "stargan": ("stargan", NARROW, "model.generator.blocks=1"),
    "srresnet": ("srresnet", NARROW, "model.generator.blocks=1"),
    "rrdb-x2": (
        "esrgan",
        NARROW,
        "model.generator.blocks=1",
        "model.generator.growth=2",
        "model.scale=2",
        "data.scale=2",
    ),
    "compact-x3": ("upscaler", NARROW, "model.generator.depth=1", "model.scale=3", "data.scale=3"),
    "span": ("upscaler-span", NARROW, "model.generator.blocks=1"),
    "denoise": ("denoise", NARROW, "model.generator.blocks=1"),
    "gated": ("inpaint", NARROW, "model.generator.smooth_levels=1", "model.generator.halvings=1"),
    "deepfill": ("deepfill", NARROW),
    "partial": ("partial-convolution", NARROW, "model.generator.depth=2"),
    "context": (
        *("context-encoder", NARROW, "model.generator.size=32", "model.generator.bottleneck=6"),
        *("model.discriminator.size=32", "data.crop.size=32"),
    ),
    "autoencoder": ("autoencoder",),
    "lama": ("inpaint", "model.generator.name=lama", NARROW, "model.generator.blocks=1"),
}
# Quick formats carry every family here; slow ones some, and tests/benchmarks/exports.py all.
CASES = [
    *(("onnx", family) for family in FAMILIES if family not in ("deepfill", "lama", "autoencoder")),
    *(("openvino", family) for family in ("unet", "stargan")),
    *(("torch-export", family) for family in ("cyclegan",)),
    *(("ncnn", family) for family in ("span",)),
    *(("dtmodel", family) for family in ("unet-batch", "span")),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to write to; the cache of these tests lies beside it."""
    place = tmp_path / "exports"
    place.mkdir()
    return place


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`family("unet")`: the model file of a tiny network; to be read only."""
    folder = tmp_path_factory.mktemp("families")

    def build(name: str) -> Path:
        path = folder / f"{name}.safetensors"
        if not path.exists():
            recipe, *overrides = FAMILIES[name]
            experiment = load_experiment(recipe, overrides)
            torch.manual_seed(0)
            network = experiment.model.translator()
            save_model(path, network, Card(experiment=experiment, step=1, trained_size=32, licence="CC0-1.0"))
        return path

    return build


def last_domain(path: Path) -> str | None:
    network, _ = load_network(path)
    return network.domains[-1] if network.domains else None


@pytest.mark.parametrize(("to", "name"), CASES)
def test_an_export_computes_what_its_model_does_and_its_example_calls_it(
    to: str, name: str, family: Callable[[str], Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    path = family(name)
    domain = last_domain(path)
    exported = export_model(path, to, domain=domain)
    assert [file.name for file in exported.files] == [
        *(f"{name}{suffix}" for suffix in FORMATS[to].suffixes),
        f"{name}{FORMATS[to].suffixes[0]}.json",
    ]
    assert sorted(file.name for file in Path().iterdir()) == sorted(file.name for file in exported.files)
    sidecar = json.loads(exported.files[-1].read_text(encoding="utf-8"))
    assert sidecar["verified"]["largest_difference"] <= 1e-3
    sizes = {(one["width"], one["height"]) for one in sidecar["verified"]["pictures"]}
    assert len(sizes) == (1 if name == "context" else 5)
    assert sidecar["model"]["licence"] == "CC0-1.0"

    network, card = load_network(path)
    assert isinstance(network, Translator)
    subject = build_subject(network, card, path, domain=domain)
    width, height = subject.size or (48, 32)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[network.channels_in]
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, network.channels_in), np.uint8)
    if network.fills_holes:
        pixels[:, :, 3] = np.where(pixels[:, :, 3] > 200, 255, 0)
    Image.fromarray(pixels.squeeze(), mode=None).save("in.png")
    with Image.open("in.png") as picture:
        assert picture.mode == mode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that the example calls
        exec(sidecar["example"], {})
    expected = translate_unit(subject, torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255)))[0]
    with Image.open("out.png") as output:
        made = np.atleast_3d(np.asarray(output, np.float32)) / 255
    assert np.abs(made.transpose(2, 0, 1) - expected.numpy()).max() <= 1.01 / 255


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 23), (48, 16)])
def test_pictures_of_any_size_are_padded_inside(
    width: int, height: int, family: Callable[[str], Path], folder: Path
) -> None:
    path, out = family("unet-batch"), folder / "x.onnx"
    export_model(path, "onnx", out)
    network, _ = load_network(path)
    assert isinstance(network, Translator)
    image = torch.rand(1, 3, height, width)
    expected = (translate_batch(network, 2 * image - 1) + 1) / 2
    assert np.abs(load_session(str(out))(image.numpy()) - expected.numpy()).max() < 1e-5


def test_half_precision_halves_the_weights(family: Callable[[str], Path], folder: Path) -> None:
    exported = export_model(family("srresnet"), "onnx", folder / "half.onnx", fp16=True)
    assert exported.description["precision"] == "fp16"
    assert exported.verified.bound == 2e-2
    kinds = {weight.data_type for weight in onnx.load(str(exported.files[0])).graph.initializer if len(weight.dims) > 1}
    assert kinds == {onnx.TensorProto.FLOAT16}


def test_one_size_is_written_into_the_file(family: Callable[[str], Path], folder: Path) -> None:
    exported = export_model(family("unet"), "onnx", folder / "x.onnx", size=(48, 20))
    (shape,) = [value.type.tensor_type.shape for value in onnx.load(str(exported.files[0])).graph.input]
    assert [one.dim_value or one.dim_param for one in shape.dim] == ["batch", 3, 20, 48]
    assert exported.description["sizes"] == {"only": {"width": 48, "height": 20}}


def test_darktables_archive_holds_what_its_documentation_asks_for(family: Callable[[str], Path], folder: Path) -> None:
    export_model(family("span"), "dtmodel", folder / "span.dtmodel")
    with zipfile.ZipFile(folder / "span.dtmodel") as archive:
        names = {"config.json", "README.md", "model_x4.onnx"}
        assert set(archive.namelist()) == {f"upscale-span/{name}" for name in names}
        config = json.loads(archive.read("upscale-span/config.json"))
        card = archive.read("upscale-span/README.md").decode()
        graph = onnx.load_from_string(archive.read("upscale-span/model_x4.onnx"))
    required = {"id": "upscale-span", "task": "upscale", "backend": "onnx", "tiling": True, "version": "1.0"}
    assert required.items() <= config.items()
    assert config["model_card"]["license"] == "CC0-1.0"
    assert "| Training data provenance | unknown |" in card
    assert graph.opset_import[0].version == 17
    (given,), (made,) = graph.graph.input, graph.graph.output
    assert (given.name, made.name) == ("input", "output")
    assert [one.dim_value or one.dim_param for one in given.type.tensor_type.shape.dim] == [
        *("batch", 3, "height", "width")
    ]


class Brightening(Translator):
    """Adds the picture's mean, as a number of Python: a tracing exporter takes it for a constant."""

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        return image + float(image.mean())


def test_a_file_that_computes_something_else_is_not_kept(family: Callable[[str], Path], folder: Path) -> None:
    path = family("span")
    _, card = load_network(path)
    subject = build_subject(Brightening().eval(), card, path)
    with pytest.raises(VerificationError, match=r"x.onnx was not kept: 1 picture of \d+x\d+: .* differs") as raised:
        export_subject(subject, "onnx", folder / "x.onnx")
    assert raised.value.exit_code == 9
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "to", "settings", "message"),
    [
        ("unet", "onxx", {}, "did you mean onnx"),
        ("unet", "onnx", {"opset": 12}, "`opset` 12: expected 17 to 20"),
        ("unet", "torch-export", {"opset": 18}, "`opset` is ONNX's"),
        ("unet", "ncnn", {"size": (31, 32)}, "multiples of 8"),
        ("context", "onnx", {"size": (64, 64)}, "takes 32x32 pixels only"),
        ("unet", "dtmodel", {}, "looks at whole pictures"),
        ("compact-x3", "dtmodel", {}, "enlarges 2 and 4 times, and this model 3"),
        ("gated", "dtmodel", {}, "from colour to colour only"),
        ("span", "dtmodel", {"fp16": True}, "leave other wishes out"),
        ("deepfill", "onnx", {"opset": 17}, "need `opset` 18"),
        ("gated", "ncnn", {}, "smooth filling"),
        ("partial", "ncnn", {}, "partial convolutions"),
        ("lama", "ncnn", {}, "no Fourier transform"),
        ("autoencoder", "ncnn", {}, "another shape"),
        ("autoencoder", "torch-export", {}, "fixes the number of pictures"),
        ("lama", "onnx", {}, "LaMa's own padding .*`to_size`"),
        ("deepfill", "openvino", {}, "OpenVINO loses the sizes"),
        ("unet", "onnx", {"out": "x.pth"}, "ends in .onnx"),
        ("unet", "onnx", {"out": "none/x.onnx"}, "cannot be written"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    name: str,
    to: str,
    settings: dict[str, object],
    message: str,
    family: Callable[[str], Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=message):
        export_model(family(name), to, **settings)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []


def test_a_domain_is_named_where_there_are_several(family: Callable[[str], Path], folder: Path) -> None:
    with pytest.raises(DomainError, match="choose one"):
        export_model(family("cyclegan"), "onnx", folder / "x.onnx")


def test_models_that_draw_are_refused(folder: Path) -> None:
    experiment = load_experiment(
        "pix2pix", [NARROW, "model.generator.depth=6", "data.crop.size=64", "model.dropout_at_inference=true"]
    )
    path = folder / "x.safetensors"
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=1, trained_size=64))
    with pytest.raises(UserError, match="draws random numbers"):
        export_model(path, "onnx", folder / "x.onnx")


def test_no_file_is_replaced(family: Callable[[str], Path], folder: Path) -> None:
    (folder / "x.onnx.json").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"x.onnx.json exists"):
        export_model(family("span"), "onnx", folder / "x.onnx")
    assert (folder / "x.onnx.json").read_text(encoding="utf-8") == "mine"


def test_a_missing_package_is_named(
    family: Callable[[str], Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"needs onnxruntime, .* pip install 'translate-images\[export\]'"):
        export_model(family("span"), "onnx", folder / "x.onnx")


def test_the_host_is_left_as_it_was(
    family: Callable[[str], Path], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def describe_host() -> tuple[object, ...]:
        levels = [logging.getLogger(name).level for name in ("torch.onnx", "torch.export", "onnxscript")]
        return list(warnings.filters), levels, torch.get_rng_state().tolist(), torch.get_num_threads()

    before = describe_host()
    export_model(family("unet"), "onnx", folder / "x.onnx")
    assert describe_host() == before
    assert capfd.readouterr() == ("", "")


def test_a_sampler_is_refused(sampler_file: Path, folder: Path) -> None:
    with pytest.raises(UserError, match="makes pictures from noise"):
        export_model(sampler_file, "onnx", folder / "x.onnx")
