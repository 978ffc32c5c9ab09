"""CycleGAN against its paper and its authors' code: what each player minimises, what is stored, who is who."""

import pytest
import torch
import torch.nn.functional as F

from datasets.contract import Unpaired
from datasets.errors import UserError
from models.apply import translate_batch
from models.backbones.image_pool import ImagePool
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


@pytest.mark.parametrize(("size", "parameters"), [(64, 7_837_699), (128, 7_837_699), (132, 11_378_179)])
def test_six_blocks_do_for_128_pixels_and_nine_are_taken_above(size, parameters):
    with torch.device("meta"):
        model = CycleGANConfig().for_size(size).translator()
    assert sum(parameter.numel() for parameter in model.parameters()) == 2 * parameters
    assert CycleGANConfig(generator={"blocks": 2}).for_size(size).generator.blocks == 2


def test_losses_are_those_of_the_authors_code():
    """Mean squared errors to 1 and 0 without any ½ for generators, halved for discriminators; λ 10, 10 and 5."""
    recipe, given = config().recipe(), batch()
    to_a, to_b, judge_a, judge_b = recipe.model.to_a, recipe.model.to_b, recipe.judge_a, recipe.judge_b
    with torch.no_grad():
        fake_a, fake_b = to_a(given.b), to_b(given.a)
        fooled = ((judge_a(fake_a) - 1) ** 2).mean() + ((judge_b(fake_b) - 1) ** 2).mean()
        cycle = 10 * F.l1_loss(to_a(fake_b), given.a) + 10 * F.l1_loss(to_b(fake_a), given.b)
        identity = 5 * F.l1_loss(to_a(given.a), given.a) + 5 * F.l1_loss(to_b(given.b), given.b)
        told_a = 0.5 * (((judge_a(given.a) - 1) ** 2).mean() + (judge_a(fake_a) ** 2).mean())
        told_b = 0.5 * (((judge_b(given.b) - 1) ** 2).mean() + (judge_b(fake_b) ** 2).mean())
    generators, discriminators = recipe.updates(given, 0)
    assert (generators.player, discriminators.player) == ("generators", "discriminators")
    for made, expected in (
        (generators.losses, {"adversarial": fooled, "cycle": cycle, "identity": identity}),
        (discriminators.losses, {"a": told_a, "b": told_b}),
    ):
        assert made.keys() == expected.keys()
        for name, loss in made.items():
            assert torch.allclose(loss, expected[name]), name


def test_each_generator_runs_three_times_a_step_and_twice_without_identity():
    for weight, expected in ((5, 3), (0, 2)):
        recipe = config(identity_weight=weight).recipe()
        calls: list[int] = []
        recipe.model.to_b.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        assert len(list(recipe.updates(batch(), 0))) == 2
        assert len(calls) == expected


def test_the_model_aims_for_the_folders_of_its_data():
    model = config().with_domains(("horse", "zebra")).translator()
    assert model.domains == ("horse", "zebra")
    image = batch().a
    assert torch.equal(model(image, 0), model.to_a(image))
    assert torch.equal(model(image, 1), model.to_b(image))


@pytest.mark.parametrize(
    ("chosen", "found", "sentence"),
    [
        ((), ("one",), "learns from 2 domains, and the data have the 1 domains one"),
        ((), (), "the data have no domains"),
        (("A", "B"), ("x", "y"), r"model\.domains is A, B, and the data's folders are x, y; .*data\.a and data\.b"),
    ],
)
def test_other_domains_than_two_are_answered_with_what_was_found(chosen, found, sentence):
    with pytest.raises(UserError, match=sentence):
        config(domains=chosen).with_domains(found)


def test_the_sizes_that_it_takes_are_its_generators():
    model = config(generator={"name": "unet", "depth": 3, "width": 4}).translator()
    assert (model.multiple, model.minimum, model.margin) == (8, 8, 21)
    assert model.global_norm


@pytest.mark.parametrize("truth", [False, True])
def test_figures_are_errors_of_round_trips_or_of_the_truth_where_there_is_one(truth):
    recipe, given = config().recipe(), batch(truth)
    model = recipe.model
    figures = recipe.validate(model, given)
    with torch.no_grad():
        fake_b, fake_a = (translate_batch(model, image, domain) for image, domain in ((given.a, 1), (given.b, 0)))
        back = (translate_batch(model, fake_b, 0) - given.a).abs() + (translate_batch(model, fake_a, 1) - given.b).abs()
        error = (fake_b - given.b).abs() + (fake_a - given.a).abs()
    assert torch.allclose(figures["cycle"], back.mean((1, 2, 3)) / 4, atol=1e-6)
    if truth:
        assert torch.allclose(figures["error"], error.mean((1, 2, 3)) / 4, atol=1e-6)
        assert torch.allclose(figures["psnr"], (psnr(fake_b, given.b) + psnr(fake_a, given.a)) / 2)
    else:
        assert torch.allclose(figures["error"], (figures["cycle"] + figures["identity"]) / 2)
        assert "psnr" not in figures
    shown = recipe.preview(model, given)
    assert [one.target is None for one in shown] == [not truth] * 2
    assert torch.equal(shown[0].source, given.a)
    assert torch.equal(shown[0].output, fake_b)
    assert torch.equal(shown[1].source, given.b)
    assert torch.equal(shown[1].output, fake_a)
    if not truth:
        assert torch.equal(shown[0].real, given.b)


def numbered(first: int, count: int = 4) -> torch.Tensor:
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_a_pool_gives_back_what_it_gets_until_it_is_full_and_then_old_ones_half_the_time():
    torch.manual_seed(0)
    pool = ImagePool(6)
    assert torch.equal(pool.exchange(numbered(0)), numbered(0))
    assert torch.equal(pool.exchange(numbered(4, 2)), numbered(4, 2))
    old = 0
    for step in range(500):
        given = numbered(100 + 4 * step)
        old += int((pool.exchange(given) != given).any(dim=(1, 2, 3)).sum())
        assert len(pool.images) == 6
    assert 0.45 < old / 2000 < 0.55


def test_what_a_pool_takes_in_it_gives_back_later_once():
    torch.manual_seed(0)
    pool, given, got = ImagePool(3), [], []
    for step in range(60):
        given.append(float(step))
        got.append(float(pool.exchange(numbered(step, 1))[0, 0, 0, 0]))
    held = [float(image[0, 0, 0]) for image in pool.images]
    assert sorted(set(got[3:]) | set(got[:3]) | set(held)) == given
    assert len(got[3:]) == len(set(got[3:]))


def test_a_pool_of_none_keeps_none_and_draws_nothing():
    before = torch.get_rng_state()
    pool = ImagePool(0)
    assert torch.equal(pool.exchange(numbered(0)), numbered(0))
    assert pool.images == []
    assert torch.equal(torch.get_rng_state(), before)


def test_no_gradient_leaves_a_pool():
    fakes = numbered(0).clone().requires_grad_()
    assert not ImagePool(2).exchange(fakes).requires_grad
