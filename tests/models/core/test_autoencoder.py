"""Autoencoders: sparse codes, the loss on clean images, and what is learned."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from datasets.contract import Pictures
from models.core.autoencoder import AutoencoderConfig, KSparse, L1Sparse, keep_largest
from models.core.corruption import Masking
from models.losses.likelihood import cross_entropy, squared_error
from models.networks.bodies import DCGANBody, MLPBody
from models.optimizers import Adam


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def images(count: int = 4, channels: int = 1, size: int = 28) -> Pictures:
    return Pictures(torch.rand(count, channels, size, size) * 2 - 1, torch.zeros(count, dtype=torch.int64))


def train(config: AutoencoderConfig, batch: Pictures, steps: int) -> Any:
    recipe = config.recipe()
    (optimizer,) = recipe.optimizers().values()
    for step in range(steps):
        for update in recipe.updates(batch, step):
            optimizer.zero_grad()
            sum(update.losses.values(), torch.zeros(())).backward()
            optimizer.step()
    return recipe


def test_k_largest_by_hand_and_a_gradient_through_them_only():
    numbers = torch.tensor([[3.0, -1.0, 2.0, 0.5], [-4.0, -3.0, -2.0, -1.0]], requires_grad=True)
    kept = keep_largest(numbers, 2)
    assert kept.tolist() == [[3.0, 0.0, 2.0, 0.0], [0.0, 0.0, -2.0, -1.0]]
    kept.square().sum().backward()
    assert numbers.grad is not None
    assert numbers.grad.tolist() == [[6.0, 0.0, 4.0, 0.0], [0.0, 0.0, -4.0, -2.0]]
    assert keep_largest(numbers, 4) is numbers


def test_equal_numbers_do_not_let_more_through():
    assert (keep_largest(torch.ones(3, 10), 4) != 0).sum(1).tolist() == [4, 4, 4]


def test_k_falls_linearly_from_the_full_code_and_is_larger_at_inference():
    sparsity = KSparse(k=20, anneal_steps=100, alpha=1.5)
    assert [sparsity.count_at(step, 120) for step in (0, 25, 50, 100, 5000)] == [120, 95, 70, 20, 20]
    assert KSparse(k=20).count_at(0, 120) == 20
    assert (sparsity.count_at_inference(120), sparsity.count_at_inference(25)) == (30, 25)


def test_as_many_numbers_are_kept_as_the_step_says_and_at_inference():
    config = AutoencoderConfig(latent=40, sparsity=KSparse(k=8, anneal_steps=4, alpha=2))
    recipe, batch = config.recipe(), images()
    for step, kept in enumerate([40, 32, 24, 16, 8, 8]):
        (update,) = recipe.updates(batch, step)
        assert update.metrics["active"].item() == pytest.approx(kept / 40)
    assert (recipe.model.encode(batch.image) != 0).sum(1).tolist() == [16] * 4
    assert recipe.validate(recipe.model, batch)["active"].tolist() == pytest.approx([0.4] * 4)
    with pytest.raises(ValidationError, match=r"sparsity\.k is 50, and a code has 40 numbers"):
        AutoencoderConfig(latent=40, sparsity=KSparse(k=50))


def test_a_larger_l1_weight_makes_sparser_codes():
    batch = images(16, size=8)
    shares = []
    for weight in (1e-6, 1.0):
        config = AutoencoderConfig(size=8, latent=64, sparsity=L1Sparse(weight=weight))
        recipe = train(config, batch, 200)
        assert (recipe.model.encode(batch.image) >= 0).all()
        shares.append(recipe.validate(recipe.model, batch)["active"].mean().item())
    assert shares[1] < 0.5 * shares[0]


def test_the_l1_term_is_the_sum_of_an_images_code():
    recipe, batch = AutoencoderConfig(sparsity=L1Sparse(weight=0.5)).recipe(), images()
    (update,) = recipe.updates(batch, 0)
    torch.testing.assert_close(update.losses["sparsity"], 0.5 * recipe.model.encode(batch.image).sum(1).mean())


def test_dropped_units_of_the_code_are_dropped_in_training_only():
    config = AutoencoderConfig(code_dropout=0.5)
    recipe, batch = config.recipe(), images()
    recipe.model.eval()
    seen: list[Tensor] = []
    recipe.model.decoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    list(recipe.updates(batch, 0))
    recipe.validate(recipe.model, batch)
    trained, validated = ((code == 0).float().mean().item() for code in seen)
    assert trained == pytest.approx(0.5, abs=0.15)
    assert validated == 0
    kept = seen[0] != 0
    torch.testing.assert_close(seen[0][kept], 2 * seen[1][kept])


@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_the_loss_compares_with_the_clean_image(loss):
    """The input is all black, so a code carries nothing, and the mean image is the best output."""
    batch = images(8, size=6)
    config = AutoencoderConfig(size=6, corruption=Masking(fraction=1.0), loss=loss)
    recipe = train(config, batch, 300)
    (previews,) = recipe.preview(recipe.model, batch)
    assert previews.source is not None
    assert (previews.source == -1).all()
    assert previews.target is batch.image
    assert (previews.output - batch.image.mean(0)).abs().max() < 0.1
    mean = batch.image.mean(0).expand_as(batch.image)
    best = (
        squared_error(mean, batch.image)
        if loss == "squared"
        else cross_entropy(torch.logit((mean + 1) / 2), batch.image)
    )
    assert recipe.validate(recipe.model, batch)["error"].mean().item() == pytest.approx(best.mean().item(), rel=0.01)


@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_with_a_code_as_large_as_the_image_it_learns_to_copy(loss):
    batch = images(16, size=4)
    config = AutoencoderConfig(size=4, latent=16, body=MLPBody(hidden=(64,)), loss=loss)
    recipe = train(config, batch, 600)
    assert recipe.validate(recipe.model, batch)["psnr"].mean() > 20
    (previews,) = recipe.preview(recipe.model, batch)
    assert previews.source is None


def test_a_linear_autoencoder_finds_what_principal_components_do():
    """Baldi, Hornik 1989: with squared error the best linear code spans the first principal components."""
    basis, _ = torch.linalg.qr(torch.randn(9, 9))
    scales = torch.tensor([1.0, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    numbers = 0.3 * (torch.randn(500, 9) * scales) @ basis.T
    batch = Pictures(numbers.view(500, 1, 3, 3), torch.zeros(500, dtype=torch.int64))
    config = AutoencoderConfig(size=3, latent=2, body=MLPBody(hidden=()), loss="squared", adam=Adam(lr=0.01))
    recipe = train(config, batch, 2000)
    centred = numbers - numbers.mean(0)
    left = torch.linalg.svdvals(centred)[2:].square().sum() / 500 / 4
    assert recipe.validate(recipe.model, batch)["error"].mean().item() == pytest.approx(left.item(), rel=0.03)


def test_it_encodes_and_decodes_images_of_its_size():
    config = AutoencoderConfig(channels=3, size=32, body=DCGANBody(width=4))
    model, image = config.translator().eval(), images(2, 3, 32).image
    assert model.encode(image).shape == (2, 32)
    assert torch.equal(model(image), model.decode(model.encode(image)))
    assert model(image).abs().max() <= 1
    assert model.only_size == 32
    assert config.size_problem(64) == "model.size is 32"
    assert config.size_problem(32) is None
