"""Semantic inpainting: the latent is found whose picture fits around the hole, and its losses fall."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor

from datasets.codecs.images import Picture, read_picture
from datasets.errors import UserError
from datasets.pixels import to_pixels
from models.contract import Sampler
from models.core.gan import GANRecipe
from translate.experiment import Experiment, load_experiment
from translate.hardware import Numerics
from translate.inference.model_file import Card, ModelError, save_model
from translate.inpainting import gan_search
from translate.inpainting.fill import fill_holes
from translate.inpainting.inpainters import load_inpainter
from translate.run_folder import RunFolder
from translate.sampling.latents import sample_latent
from translate.sampling.sampler import LoadedSampler, load_sampler

GAN = [
    "model.size=16",
    "data.crop.size=16",
    "data.crop.load=null",
    "model.latent=8",
    "model.generator.name=mlp",
    "model.generator.hidden=[32]",
    "model.discriminator.name=mlp",
    "model.discriminator.hidden=[16]",
]


class Waves(Sampler):
    """A picture is a sum of eight waves, whose heights are its latent; of the second class, it is brighter."""

    def __init__(self, size: int = 16, domains: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.latent, self.channels, self.size, self.domains = 8, 1, size, domains
        y, x = torch.meshgrid(torch.linspace(0, 3, size), torch.linspace(0, 3, size), indexing="ij")
        waves = [torch.sin(a * x + b * y + a) for a in (0.0, 1.0, 2.0, 3.0) for b in (1.0, 2.0)]
        self.waves = torch.nn.Parameter(torch.stack(waves), requires_grad=False)

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        level = 0.9 * label[:, None, None]
        return (0.1 * torch.einsum("bl,lhw->bhw", latent, self.waves) + level)[:, None]


def box(size: int = 16) -> Tensor:
    hole = torch.zeros(1, size, size)
    hole[:, 5:11, 4:12] = 1
    return hole


def none(pictures: Tensor, latent: Tensor, labels: Tensor) -> Tensor:
    return latent.new_zeros(len(latent))


def test_the_weight_is_the_fraction_of_hole_around_and_nothing_in_the_hole() -> None:
    hole = (torch.rand(1, 20, 23, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    weight = gan_search.context_weight(hole)
    inside = ndimage.uniform_filter(hole[0].numpy(), 7, mode="constant")
    share = inside / ndimage.uniform_filter(np.ones((20, 23), np.float32), 7, mode="constant")
    assert np.allclose(weight[0], share * (1 - hole[0].numpy()), atol=1e-5)
    far = gan_search.context_weight(box(40))
    assert far[0, 20, 20] == 0
    assert far[0, 4, 8] > far[0, 3, 8] > far[0, 2, 8] > far[0, 1, 8] == 0


def test_the_context_loss_is_a_weighted_sum_of_differences() -> None:
    pictures, image = torch.rand(3, 2, 16, 16), torch.rand(2, 16, 16)
    weight = gan_search.context_weight(box())
    expected = [sum(float((weight[0] * (one[c] - image[c]).abs()).sum()) for c in range(2)) for one in pictures]
    assert torch.allclose(gan_search.context_loss(pictures, image, weight), torch.tensor(expected), rtol=1e-5)


def test_what_the_generator_itself_made_is_filled_as_it_was() -> None:
    model = Waves()
    truth = model.generate(sample_latent(model, 5, 0, 0)[None], torch.zeros(1))[0]
    holed = torch.where(box() > 0, torch.ones(1), truth)
    starts = torch.stack([sample_latent(model, 0, 0, index) for index in range(4)])
    found = gan_search.search(model, holed, box(), none, starts, torch.zeros(4, dtype=torch.long))
    assert float((found - truth)[box() > 0].abs().max()) < 0.03
    before = model.generate(starts, torch.zeros(4))
    weight = gan_search.context_weight(box())
    assert (
        gan_search.context_loss(found[None], holed, weight)
        < 0.05 * gan_search.context_loss(before, holed, weight).min()
    )


def test_the_prior_weighs_in() -> None:
    model = Waves()
    image = torch.linspace(-1, 1, 16).expand(1, 16, 16)  # which it can only make of latents that are unlikely
    starts = torch.stack([sample_latent(model, 0, 0, index) for index in range(4)])
    labels = torch.zeros(4, dtype=torch.long)

    def length(prior: gan_search.PriorLoss) -> float:
        found: list[Tensor] = []

        def remembered(pictures: Tensor, latent: Tensor, labels: Tensor) -> Tensor:
            found.append(latent.detach())
            return prior(pictures, latent, labels)

        gan_search.search(model, image, box(), remembered, starts, labels)
        return float(found[-1].square().sum(1).min())

    assert length(lambda pictures, latent, labels: model.prior_energy(latent)) < 0.8 * length(none)


@pytest.fixture
def gan_run(tmp_path: Path) -> tuple[Path, GANRecipe]:
    """A run folder of a GAN that was never trained, with its recipe."""
    experiment, path = load_experiment("gan", GAN), tmp_path / "run"
    torch.manual_seed(0)
    recipe = experiment.model.recipe()
    assert isinstance(recipe, GANRecipe)
    for parameter in recipe.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # wide enough for pictures with structure
    folder = RunFolder(path)
    folder.acquire()
    save_model(folder.last, recipe.model, Card(experiment=experiment, step=0, trained_size=recipe.model.size))
    folder.write_state({"recipe": recipe.state_dict(), "own": [{}]})
    folder.release()
    return path, recipe.eval()


def test_of_a_run_folder_the_discriminator_is_the_prior_and_of_a_file_the_latent(
    gan_run: tuple[Path, GANRecipe],
) -> None:
    path, recipe = gan_run
    loaded = load_sampler(path, device="cpu", precision="fp32")
    latent = loaded.sampler.draw(3, torch.Generator().manual_seed(0))
    labels = torch.zeros(3, dtype=torch.long)
    pictures = loaded.sampler.generate(latent, labels)
    kind, prior = gan_search.find_prior_loss(loaded, path)
    losses = prior(pictures, latent, labels)
    assert kind == "discriminator"
    assert torch.allclose(losses, F.softplus(-recipe.score(pictures, labels))[:, 0], atol=1e-6)  # -log D
    kind, prior = gan_search.find_prior_loss(loaded, path / "last.safetensors")
    without = prior(pictures, latent, labels)
    assert kind == "latent"
    assert torch.allclose(without, 0.5 * latent.square().sum(1))


def test_both_losses_fall_on_the_way(gan_run: tuple[Path, GANRecipe], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = gan_run
    loaded = load_sampler(path, device="cpu", precision="fp32")
    model, (_, prior) = loaded.sampler, gan_search.find_prior_loss(loaded, path)
    size = model.size
    hole = torch.zeros(1, size, size)
    hole[:, size // 4 : size // 2, size // 4 : size // 2] = 1
    image = model.generate(sample_latent(model, 9, 0, 0)[None], torch.zeros(1, dtype=torch.long))[0].detach()
    starts = torch.stack([sample_latent(model, 0, 0, index) for index in range(2)])
    labels = torch.zeros(2, dtype=torch.long)
    values: list[tuple[float, float]] = []
    weight = gan_search.context_weight(hole)

    def watched(pictures: Tensor, latent: Tensor, labels: Tensor) -> Tensor:
        value = prior(pictures, latent, labels)
        values.append(
            (float(gan_search.context_loss(pictures, image, weight).sum().detach()), float(value.sum().detach()))
        )
        return value

    monkeypatch.setattr("translate.sampling.latent_search.STEPS", 120)
    gan_search.search(model, image, hole, watched, starts, labels)
    assert values[-1][0] < 0.7 * values[0][0]
    context, losses = (sum(column) for column in zip(*values[-5:], strict=True))
    first = [sum(column) for column in zip(*values[:5], strict=True)]
    assert context + gan_search.PRIOR_WEIGHT * losses < first[0] + gan_search.PRIOR_WEIGHT * first[1]


@pytest.fixture
def waves(tiny: Callable[..., Experiment]) -> Callable[..., LoadedSampler]:
    """`waves(domains=())`: a model that can be looked through."""

    def build(domains: tuple[str, ...] = ()) -> LoadedSampler:
        card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=16)
        return LoadedSampler(
            Waves(16, domains).eval(), card, "waves", torch.device("cpu"), Numerics("fp32", "contiguous", 1)
        )

    return build


def test_a_model_with_classes_tries_them_all(waves: Callable[..., LoadedSampler]) -> None:
    loaded = waves(("dark", "bright"))
    latent = 0.3 * sample_latent(loaded.sampler, 5, 0, 0)[None]
    for label in (0, 1):
        truth = loaded.sampler.generate(latent, torch.tensor([label]))[0]
        picture = Picture(to_pixels(truth.clamp(-1, 1), 16))
        filled = fill_holes(gan_search.load_gan_search(loaded, "waves"), picture, box()[0].numpy() > 0)
        assert np.abs(filled.pixels.astype(int) - picture.pixels)[box()[0].numpy() > 0].max() < 0.03 * 65535


def test_other_sizes_are_scaled_and_only_the_hole_is_touched(waves: Callable[..., LoadedSampler]) -> None:
    pixels = np.random.default_rng(0).integers(90, 160, (40, 40, 3), np.uint8)
    hole = np.zeros((40, 40), bool)
    hole[12:26, 10:30] = True
    filled = fill_holes(gan_search.load_gan_search(waves(), "waves"), Picture(pixels), hole)
    assert np.array_equal(filled.pixels[~hole], pixels[~hole])
    assert not np.array_equal(filled.pixels[hole], pixels[hole])
    with pytest.raises(UserError, match=r"expected a square, .* generator makes, found 40x39; cut it"):
        fill_holes(gan_search.load_gan_search(waves(), "waves"), Picture(pixels[:39]), hole[:39])


def test_the_command_takes_a_run_of_a_gan(gan_run: tuple[Path, GANRecipe], tmp_path: Path, command: Any) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)).save(tmp_path / "a.png")
    hole = np.zeros((16, 16), np.uint8)
    hole[5:9, 5:9] = 255
    Image.fromarray(hole).save(tmp_path / "m.png")
    path, _ = gan_run
    ended = command("inpaint", tmp_path / "a.png", tmp_path / "b.png", "--mask", tmp_path / "m.png", "--model", path)
    assert ended.code == 0, ended.err
    changed = (read_picture(tmp_path / "a.png").pixels != read_picture(tmp_path / "b.png").pixels).any(2)
    assert not changed[hole == 0].any()
    assert changed[hole > 0].mean() > 0.8
    assert load_inpainter(path, device="cpu").digest != load_inpainter(path / "last.safetensors", device="cpu").digest


def test_a_model_of_points_is_refused(waves: Callable[..., LoadedSampler]) -> None:
    loaded = waves()
    loaded.sampler.channels, loaded.sampler.size = 2, 1
    with pytest.raises(ModelError, match="makes points of the plane, and no pictures"):
        gan_search.load_gan_search(loaded, "points")
