"""CycleGAN against its paper and its authors' code: losses, forward passes, domains, metrics."""

import pytest
import torch
import torch.nn.functional as F

from datasets.contract import Unpaired
from models.apply import translate_batch
from models.cyclegan import CycleGANConfig
from models.metrics import psnr

SMALL = {"generator": {"blocks": 1, "width": 4}, "discriminator": {"layers": 1, "width": 4}}


def config(**settings) -> CycleGANConfig:
    return CycleGANConfig.model_validate({**SMALL, **settings})


def batch(truth: bool = False) -> Unpaired:
    draws = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, 3, 16, 16, generator=draws) * 2 - 1 for _ in range(2))
    return Unpaired(a, b, torch.full((2,), truth))


def test_the_defaults_are_those_of_the_authors():
    paper = CycleGANConfig()
    assert (paper.generator.name, paper.generator.width, paper.generator.norm) == ("resnet", 64, "instance")
    assert (paper.discriminator.layers, paper.cycle_weight, paper.identity_weight, paper.pool_size) == (3, 10, 5, 50)
    for adam in (paper.generator_adam, paper.discriminator_adam):
        assert (adam.lr, adam.beta1, adam.beta2) == (2e-4, 0.5, 0.999)


def test_losses_are_those_of_the_authors_code():
    """Mean squared errors to 1 and 0 without any ½ for generators, halved for discriminators; λ 10, 10 and 5."""
    recipe, examples = config().recipe(), batch()
    to_a, to_b, discriminator_a, discriminator_b = (
        recipe.model.to_a,
        recipe.model.to_b,
        recipe.discriminator_a,
        recipe.discriminator_b,
    )
    with torch.no_grad():
        fake_a, fake_b = to_a(examples.b), to_b(examples.a)
        adversarial = ((discriminator_a(fake_a) - 1) ** 2).mean() + ((discriminator_b(fake_b) - 1) ** 2).mean()
        cycle = 10 * F.l1_loss(to_a(fake_b), examples.a) + 10 * F.l1_loss(to_b(fake_a), examples.b)
        identity = 5 * F.l1_loss(to_a(examples.a), examples.a) + 5 * F.l1_loss(to_b(examples.b), examples.b)
        loss_a = 0.5 * (((discriminator_a(examples.a) - 1) ** 2).mean() + (discriminator_a(fake_a) ** 2).mean())
        loss_b = 0.5 * (((discriminator_b(examples.b) - 1) ** 2).mean() + (discriminator_b(fake_b) ** 2).mean())
    generators, discriminators = recipe.updates(examples, 0)
    assert (generators.player, discriminators.player) == ("generators", "discriminators")
    for output, expected in (
        (generators.losses, {"adversarial": adversarial, "cycle": cycle, "identity": identity}),
        (discriminators.losses, {"a": loss_a, "b": loss_b}),
    ):
        assert output.keys() == expected.keys()
        for name, loss in output.items():
            assert torch.allclose(loss, expected[name]), name


def test_each_generator_runs_three_times_a_step_and_twice_without_identity():
    for weight, expected in ((5, 3), (0, 2)):
        recipe = config(identity_weight=weight).recipe()
        calls: list[int] = []
        recipe.model.to_b.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        assert len(list(recipe.updates(batch(), 0))) == 2
        assert len(calls) == expected


def test_the_domains_are_the_folders_of_the_data():
    model = config().with_domains(("horse", "zebra")).translator()
    assert model.domains == ("horse", "zebra")
    image = batch().a
    assert torch.equal(model(image, 0), model.to_a(image))
    assert torch.equal(model(image, 1), model.to_b(image))


def test_sizes_are_those_of_its_generators():
    model = config(generator={"name": "unet", "depth": 3, "width": 4}).translator()
    assert (model.multiple, model.minimum, model.margin) == (8, 8, 21)
    assert model.global_norm


@pytest.mark.parametrize("truth", [False, True])
def test_metrics_are_errors_of_round_trips_or_distances_to_true_counterparts(truth):
    recipe, examples = config().recipe(), batch(truth)
    model = recipe.model
    metrics = recipe.validate(model, examples)
    with torch.no_grad():
        fake_b, fake_a = (translate_batch(model, image, domain) for image, domain in ((examples.a, 1), (examples.b, 0)))
        back = (translate_batch(model, fake_b, 0) - examples.a).abs() + (
            translate_batch(model, fake_a, 1) - examples.b
        ).abs()
        error = (fake_b - examples.b).abs() + (fake_a - examples.a).abs()
    assert torch.allclose(metrics["cycle"], back.mean((1, 2, 3)) / 4, atol=1e-6)
    if truth:
        assert torch.allclose(metrics["error"], error.mean((1, 2, 3)) / 4, atol=1e-6)
        assert torch.allclose(metrics["psnr"], (psnr(fake_b, examples.b) + psnr(fake_a, examples.a)) / 2)
    else:
        assert torch.allclose(metrics["error"], (metrics["cycle"] + metrics["identity"]) / 2)
        assert "psnr" not in metrics
    previews = recipe.preview(model, examples)
    assert [one.target is None for one in previews] == [not truth] * 2
    assert previews[0].source is not None
    assert previews[1].source is not None
    assert torch.equal(previews[0].source, examples.a)
    assert torch.equal(previews[0].output, fake_b)
    assert torch.equal(previews[1].source, examples.b)
    assert torch.equal(previews[1].output, fake_a)
    if not truth:
        assert previews[0].real is not None
        assert torch.equal(previews[0].real, examples.b)
