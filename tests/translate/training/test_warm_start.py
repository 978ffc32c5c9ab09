"""Starting with the weights of another model, of the same kind and of another."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from translate.experiment import load_experiment
from translate.inference.model_file import ModelError
from translate.training.session import Training
from translate.training.warm_start import warm_start

SMALL_GAN = (
    "model.generator.width=4",
    "model.discriminator.width=4",
    "model.size=32",
    "data.crop.load=null",
    "data.crop.size=32",
    "training.steps=2",
    "training.batch_size=2",
    "training.precision=fp32",
)


@pytest.fixture
def gan(photos: Path, tmp_path: Path) -> Path:
    """The run folder of two steps of a GAN on photographs."""
    training = Training(load_experiment("gan", SMALL_GAN), photos, tmp_path / "gan", device="cpu")
    list(training.run())
    return tmp_path / "gan"


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_of_the_same_kind_gives_what_fits_and_says_how_much(trained: Path, tiny: Callable[..., Any]) -> None:
    path = trained / "last.safetensors"
    recipe = tiny().model.recipe()
    assert warm_start(recipe, str(path)) == "100% of the weights start from last.safetensors"
    assert same(recipe.model.state_dict(), load_file(path))
    gray = tiny("model.channels_out=1", "data.target_channels=1", "data.source_channels=3", "model.residual=false")
    other = gray.model.recipe()
    message = warm_start(other, str(trained))
    fitting = [t for name, t in other.model.state_dict().items() if t.shape == load_file(path)[name].shape]
    fraction = sum(t.numel() for t in fitting) / sum(t.numel() for t in other.model.state_dict().values())
    assert message.startswith(f"{fraction:.0%} of the weights start from last.safetensors; drawn anew: ")
    assert 0 < fraction < 1


def test_a_model_of_the_same_kind_of_which_nothing_fits_is_refused(trained: Path, tiny: Callable[..., Any]) -> None:
    wider = tiny("model.generator.width=7", "model.channels_out=1", "data.target_channels=1", "data.source_channels=3",
                 "model.residual=false")  # fmt: skip
    tensors = len(load_file(trained / "last.safetensors"))
    with pytest.raises(ModelError, match=rf"none of its {tensors} tensors fits this experiment's model"):
        warm_start(wider.model.recipe(), str(trained))


def test_a_gans_discriminator_becomes_a_discriminator_of_patches(gan: Path, tiny: Callable[..., Any]) -> None:
    recipe = tiny("data.crop.size=32", "model.discriminator.layers=3", "model.discriminator.norm=batch").model.recipe()
    before = [p.detach().clone() for p in recipe.discriminator.parameters()]
    message = warm_start(recipe, str(gan))
    assert message.endswith("of the discriminator starts from the gan last.safetensors")
    learned = torch.load(gan / "state.pt", weights_only=True)["recipe"]
    convolutions = [layer for layer in recipe.discriminator.layers if isinstance(layer, torch.nn.Conv2d)]
    # The first layer sees two pictures here and one there; the GAN, at 32 pixels, halves three times.
    for own, theirs in zip(convolutions[1:3], (3, 6), strict=True):
        assert torch.equal(own.weight, learned[f"discriminator.trunk.{theirs}.weight"])
    moved = [not torch.equal(old, new) for old, new in zip(before, recipe.discriminator.parameters(), strict=True)]
    assert sum(moved) == 2


def test_a_vaes_encoder_becomes_a_generators_way_down(photos: Path, tmp_path: Path, tiny: Callable[..., Any]) -> None:
    settings = ("model.body.width=4", "model.size=32", "data.crop.load=null", "data.crop.size=32", "training.steps=1")
    training = Training(load_experiment("vae-dcgan", settings), photos, tmp_path / "vae", device="cpu")
    list(training.run())
    recipe = tiny("data.crop.size=32").model.recipe()
    # The file alone will do: what encodes is shipped.
    message = warm_start(recipe, str(tmp_path / "vae" / "last.safetensors"))
    assert message.endswith("of the encoder starts from the vae last.safetensors")
    learned = load_file(tmp_path / "vae" / "last.safetensors")
    convolutions = [layer for layer in recipe.model.generator.encoder.modules() if isinstance(layer, torch.nn.Conv2d)]
    for own, theirs in zip(convolutions, (0, 3, 6), strict=True):
        # The first was given [0, 1], and now is given [-1, 1].
        assert torch.equal(own.weight, (1 if theirs else 0.5) * learned[f"encoder.trunk.{theirs}.weight"])


def test_what_was_not_kept_or_does_not_fit_is_said(gan: Path, tiny: Callable[..., Any]) -> None:
    recipe = tiny("data.crop.size=32", "model.discriminator.layers=3").model.recipe()
    with pytest.raises(ModelError, match="a gan with no part to reuse, of which next to nothing fits"):
        warm_start(recipe, str(gan / "last.safetensors"))  # the file alone holds no discriminator
    other = tiny("data.crop.size=32", "model.discriminator.layers=3", "model.discriminator.width=6").model.recipe()
    with pytest.raises(ModelError, match="a gan with discriminator Sequential, of which next to nothing fits"):
        warm_start(other, str(gan))


def test_a_run_whose_modules_keep_more_than_weights_is_read_too(
    tiny: Callable[..., Any], pairs: Path, tmp_path: Path
) -> None:
    list(Training(tiny(recipe="cyclegan"), pairs, tmp_path / "both", device="cpu").run())
    with pytest.raises(ModelError, match="a cyclegan with no part to reuse"):
        warm_start(tiny().model.recipe(), str(tmp_path / "both"))


def test_cut_starts_from_both_networks_of_a_pix2pix(tiny: Callable[..., Any], pairs: Path, tmp_path: Path) -> None:
    resnet = ("model.generator.name=resnet", "model.generator.blocks=1", "model.generator.width=4")
    list(Training(tiny(*resnet, recipe="pix2pix"), pairs, tmp_path / "paired", device="cpu").run())
    cut = load_experiment(
        "cut", [*resnet, "model.discriminator.layers=1", "model.discriminator.width=4"]
    ).model.recipe()
    message = warm_start(cut, str(tmp_path / "paired"))
    # The discriminator of pairs has another first layer.
    assert re.fullmatch(r"100% of the encoder, \d\d% of the discriminator start from the pix2pix .*", message)
