"""Inpainting's losses written out, for each of its papers, and what its translator leaves unchanged."""

import copy
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.contract import Masked
from datasets.errors import UserError
from models.inpainting import InpaintingConfig, build_feature_losses, variation

DEEPFILL = {"generator": {"name": "deepfill", "width": 4}, "discriminator": {"layers": 2, "width": 3}}
GATED = {"generator": {"name": "gated", "width": 4, "widest": 8, "smooth_levels": 3}, "adversarial_weight": 0}
PARTIAL = {"generator": {"name": "partial", "depth": 2, "width": 4}, "adversarial_weight": 0}
CONTEXT = {
    "generator": {"name": "context", "size": 32, "width": 4, "bottleneck": 5},
    "discriminator": {"name": "context", "size": 32, "width": 4},
    "adversarial": "non-saturating",
}
LAMA = {"generator": {"name": "lama", "blocks": 1, "width": 4}, "adversarial_weight": 0}


def config(part: dict[str, Any], **settings: Any) -> InpaintingConfig:
    return InpaintingConfig.model_validate({**part, **settings})


def batch() -> Masked:
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 4:20, 3:11] = mask[1, :, 25:, 12:] = 1
    return Masked(torch.rand(2, 3, 32, 32) * 2 - 1, mask)


def losses(recipe: Any, examples: Masked) -> dict[str, dict[str, float]]:
    return {
        update.player: {name: value.item() for name, value in update.losses.items()}
        for update in recipe.updates(examples, 0)
    }


def test_deepfills_losses_are_the_papers():
    torch.manual_seed(0)
    recipe, (image, mask) = config(DEEPFILL).recipe(), batch()
    assert recipe.discriminator is not None
    discriminator = copy.deepcopy(recipe.discriminator)  # every forward pass moves its estimate of the norms
    coarse, fine = recipe.model.generator(image, mask)
    filled = mask * fine + (1 - mask) * image
    real, fake, adversarial = (discriminator(torch.cat([one, mask], 1)) for one in (image, filled, filled))
    found = losses(recipe, Masked(image, mask))
    hinge = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
    assert found["discriminator"] == {"adversarial": pytest.approx(hinge.item(), rel=1e-4)}
    pixel = F.l1_loss(coarse, image) + F.l1_loss(fine, image)
    expected = {"pixel": pixel.item(), "adversarial": -adversarial.mean().item()}
    assert found["generator"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("hole_weight", [6.0, 0.0])
@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("name", ["l1", "mse"])
def test_pixels_are_weighted_by_the_mask(name, even, hole_weight):
    recipe = config(GATED, pixel_loss=name, even=even, hole_weight=hole_weight, valid_weight=2).recipe()
    (image, mask), output = batch(), torch.rand(2, 3, 32, 32)
    total = torch.zeros(2)
    weights = torch.zeros(2)
    for index in range(2):
        hole = mask[index, 0] > 0
        for weight, pixels in ((hole_weight, hole), (2, ~hole)):
            difference = (output - image)[index][:, pixels]
            total[index] += weight * (difference.abs() if name == "l1" else difference.square()).sum()
            weights[index] += weight * 3 * pixels.sum()
    expected = (total / weights).mean() if even else total.sum() / image.numel()
    assert recipe.pixel_loss(output, image, mask).item() == pytest.approx(expected.item(), rel=1e-5)


def test_partial_convolutions_losses_are_the_papers():
    torch.manual_seed(0)
    weights = {"hole_weight": 6, "perceptual_weight": 0.05, "style_weight": 120, "variation_weight": 0.1}
    recipe, (image, mask) = config(PARTIAL, **weights).recipe(), batch()
    (output,) = copy.deepcopy(recipe.model).generator(image, mask)
    filled = mask * output + (1 - mask) * image
    perceptual = build_feature_losses()
    features = [perceptual(one, image) for one in (output, filled)]
    hole, valid = (part * (output - image).abs() for part in (mask, 1 - mask))
    expected = {
        "pixel": 6 * hole.mean() + valid.mean(),
        "perceptual": 0.05 * (features[0][0] + features[1][0]),
        "style": 120 * (features[0][1] + features[1][1]),
        "variation": 0.1 * variation(filled, mask),
    }
    expected = {name: value.item() for name, value in expected.items()}
    assert losses(recipe, Masked(image, mask))["generator"] == pytest.approx(expected, rel=1e-4)


def test_without_vggs_weights_a_sentence_names_the_settings_that_do_without(tmp_path, monkeypatch):
    def unreachable(*arguments: object, **options: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(UserError, match=r"perceptual loss needs VGG-19's.*perceptual_weight=0.*style_weight=0"):
        config(PARTIAL, style_weight=1).recipe()


def test_variation_counts_neighbours_within_the_hole_and_a_pixel_around_it():
    image, mask = torch.rand(1, 3, 6, 7), torch.zeros(1, 1, 6, 7)
    mask[..., 2:4, 3:5] = 1
    near = {(y, x) for y in range(1, 5) for x in range(2, 6)}
    total = 0.0
    for y, x in near:
        for other in ((y + 1, x), (y, x + 1)):
            if other in near:
                total += (image[0, :, y, x] - image[0, :, other[0], other[1]]).abs().sum().item()
    assert variation(image, mask).item() == pytest.approx(total / image.numel(), rel=1e-5)


def test_the_context_encoders_losses_are_the_papers():
    torch.manual_seed(0)
    settings = {"pixel_loss": "mse", "hole_weight": 0.999, "valid_weight": 0, "adversarial_weight": 0.001}
    recipe, (image, mask) = config(CONTEXT, **settings).recipe(), batch()
    assert recipe.discriminator is not None
    discriminator = copy.deepcopy(recipe.discriminator)
    (output,) = copy.deepcopy(recipe.model).generator(image, mask)
    filled = mask * output + (1 - mask) * image
    adversarial = discriminator(torch.cat([filled, mask], 1))
    expected = {
        "pixel": (0.999 * mask * (output - image).square()).mean().item(),
        "adversarial": 0.001 * F.binary_cross_entropy_with_logits(adversarial, torch.ones_like(adversarial)).item(),
    }
    assert losses(recipe, Masked(image, mask))["generator"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("part", [DEEPFILL, GATED, PARTIAL, CONTEXT, LAMA])
def test_known_pixels_are_unchanged_and_the_content_of_the_hole_is_ignored(part):
    torch.manual_seed(0)
    model, (image, mask) = config(part).translator().eval(), batch()
    with torch.inference_mode():
        output = model(torch.cat([image, mask], 1))
        hidden = model(torch.cat([torch.where(mask > 0, -image, image), mask], 1))
    known = (mask == 0).expand_as(image)
    assert torch.equal(output[known], image[known])
    assert torch.equal(output, hidden)
    assert (output[~known] != image[~known]).all()


@pytest.mark.parametrize(
    ("part", "multiple", "minimum", "only_size"),
    [
        (DEEPFILL, 8, 1, None),
        (GATED, 8, 1, None),
        (PARTIAL, 4, 1, None),
        (CONTEXT, 32, 1, 32),
        (LAMA, 1, 16, None),
    ],
)
def test_a_translator_states_what_it_takes(part, multiple, minimum, only_size):
    model = config(part).translator()
    assert model.fills_holes
    assert (model.channels_in, model.channels_out, model.scale) == (4, 3, 1)
    assert (model.multiple, model.minimum, model.only_size, model.margin) == (multiple, minimum, only_size, None)


def test_sizes_that_cannot_be_learned_from_are_named():
    assert config(CONTEXT).size_problem(64) == "this context encoder works on squares of 32"
    assert config(PARTIAL).size_problem(30) == "a U-Net of depth 2 needs multiples of 4"
    assert config(GATED).size_problem(36) == "this generator needs multiples of 8"
    assert config({**DEEPFILL, "discriminator": CONTEXT["discriminator"]}).size_problem(64) is not None
    assert config(DEEPFILL).size_problem(64) is None


def white(image: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask > 0, torch.ones_like(image), image)


def test_previews_are_white_holes_fillings_and_originals():
    recipe, (image, mask) = config(GATED).recipe(), batch()
    (previews,) = recipe.preview(recipe.model, Masked(image, mask))
    assert previews.source is not None
    assert torch.equal(previews.source, white(image, mask))
    assert previews.target is not None
    assert torch.equal(previews.target, image)
    assert torch.equal(white(previews.output, mask), previews.source)
