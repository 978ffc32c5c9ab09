"""CUT against its authors' code: losses, features, forward passes, FastCUT."""

import pytest
import torch

from datasets.contract import Unpaired
from models.apply import translate_batch
from models.backbones.resnet import ResNetGenerator
from models.cut import CUTConfig
from models.losses.contrastive import patch_nce
from models.metrics import l1
from translate.experiment import load_experiment

SMALL = {"generator": {"blocks": 1, "width": 4}, "discriminator": {"layers": 1, "width": 4}, "head_width": 8}
# All places of every layer of 16 pixels: then nothing is left to chance.
EVERYWHERE = {"patches": 256}


def config(**settings) -> CUTConfig:
    return CUTConfig.model_validate({**SMALL, **settings})


def batch(truth: bool = False) -> Unpaired:
    draws = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, 3, 16, 16, generator=draws) * 2 - 1 for _ in range(2))
    return Unpaired(a, b, torch.full((2,), truth))


def test_the_defaults_are_those_of_the_authors_and_fastcut_is_their_faster_choice():
    paper, fast = CUTConfig(), load_experiment("fastcut").model
    assert isinstance(fast, CUTConfig)
    assert (paper.generator.width, paper.discriminator.layers, paper.patches, paper.temperature) == (64, 3, 256, 0.07)
    assert (paper.nce_weight, paper.identity, paper.flip_equivariance) == (1, True, False)
    assert (fast.nce_weight, fast.identity, fast.flip_equivariance) == (10, False, True)
    assert (paper.generator_adam.lr, paper.generator_adam.beta1, paper.generator_adam.beta2) == (2e-4, 0.5, 0.999)


def test_the_heads_have_the_published_size():
    with torch.device("meta"):
        recipe = CUTConfig().recipe()
    assert sum(parameter.numel() for parameter in recipe.heads.parameters()) == 560_384


@pytest.mark.parametrize(("blocks", "sums"), [(1, [1]), (3, [1, 3]), (5, [1, 5]), (9, [1, 5])])
def test_features_are_taken_at_five_layers_of_the_encoder(blocks, sums):
    network = ResNetGenerator(blocks=blocks, width=2)
    image = batch().a
    with torch.no_grad():
        layers = network.encode(image)
        expected = [image, network.encoder[:4](image), network.encoder[:7](image)]
        expected += [network.blocks[:number](network.encoder(image)) for number in sums]
        assert torch.equal(network.decode(layers[-1]), network(image))
    assert [layer.shape[1] for layer in layers] == list(network.feature_channels)
    assert all(torch.equal(one, other) for one, other in zip(layers, expected, strict=True))


def contrast(recipe, output: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Over all places, computed apart."""
    generator, heads = recipe.model.generator, recipe.heads
    layers, fake_layers = generator.encode(source), generator.encode(output)
    everywhere = [torch.arange(layer[0, 0].numel()) for layer in layers]
    return patch_nce(heads(fake_layers, everywhere), heads(layers, everywhere), 0.07)


@pytest.mark.parametrize("identity", [False, True])
def test_losses_are_those_of_the_authors_code(identity):
    recipe, examples = config(identity=identity, nce_weight=3, **EVERYWHERE).recipe(), batch()
    with torch.no_grad():
        fake = recipe.model(examples.a)
        loss = 0.5 * (((recipe.discriminator(examples.b) - 1) ** 2).mean() + (recipe.discriminator(fake) ** 2).mean())
        adversarial = ((recipe.discriminator(fake) - 1) ** 2).mean()
        nce = contrast(recipe, fake, examples.a)
        if identity:
            nce = 0.5 * (nce + contrast(recipe, recipe.model(examples.b), examples.b))
    discriminator, generator = recipe.updates(examples, 0)
    assert (discriminator.player, generator.player) == ("discriminator", "generator")
    assert torch.allclose(discriminator.losses["adversarial"], loss)
    assert torch.allclose(generator.losses["adversarial"], adversarial)
    assert torch.allclose(generator.losses["nce"], 3 * nce.mean(), atol=1e-5)


def test_the_contrast_has_gradients_through_decoder_and_encoder():
    recipe = config().recipe()
    _, update = recipe.updates(batch(), 0)
    update.losses["nce"].backward()
    assert all(parameter.grad is not None for parameter in recipe.heads.parameters())
    for layer in (recipe.model.generator.decoder[-2], recipe.model.generator.encoder[0]):
        gradient = layer.get_parameter("weight").grad
        assert gradient is not None
        assert gradient.abs().max() > 0


def test_half_the_time_the_mirrored_source_is_translated_and_its_features_mirrored_back():
    recipe, examples = config(identity=False, flip_equivariance=True, **EVERYWHERE).recipe(), batch()
    plain, turned = 0, 0
    with torch.no_grad():
        straight = contrast(recipe, recipe.model(examples.a), examples.a).mean()
        generator, heads = recipe.model.generator, recipe.heads
        layers = generator.encode(examples.a)
        fake_layers = [layer.flip(3) for layer in generator.encode(recipe.model(examples.a.flip(3)))]
        everywhere = [torch.arange(layer[0, 0].numel()) for layer in layers]
        mirrored = patch_nce(heads(fake_layers, everywhere), heads(layers, everywhere), 0.07).mean()
        for seed in range(20):
            torch.manual_seed(seed)
            _, update = recipe.updates(examples, 0)
            plain += bool(torch.allclose(update.losses["nce"], straight, atol=1e-4))
            turned += bool(torch.allclose(update.losses["nce"], mirrored, atol=1e-4))
    assert plain + turned == 20
    assert 4 < turned < 16


def test_the_generator_translates_once_a_step_and_twice_with_the_identity():
    for identity, expected in ((False, 1), (True, 2)):
        recipe = config(identity=identity).recipe()
        calls: list[int] = []
        recipe.model.generator.decoder.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        list(recipe.updates(batch(), 0))
        assert len(calls) == expected


def test_the_model_translates_to_the_second_folder_only():
    model = config().with_domains(("horse", "zebra")).translator()
    assert model.domains == ("zebra",)


def test_a_generator_without_blocks_is_refused():
    with pytest.raises(ValueError, match=r"generator\.blocks is 0, and CUT compares"):
        config(generator={"blocks": 0})


@pytest.mark.parametrize("truth", [False, True])
def test_metrics_are_contrasts_or_distances_to_true_counterparts(truth):
    recipe, examples = config(**EVERYWHERE).recipe(), batch(truth)
    metrics = recipe.validate(recipe.model, examples)
    fake = translate_batch(recipe.model, examples.a)
    with torch.no_grad():
        assert torch.allclose(metrics["nce"], contrast(recipe, fake, examples.a), atol=1e-5)
    assert torch.allclose(metrics["identity"], l1(translate_batch(recipe.model, examples.b), examples.b))
    assert torch.allclose(metrics["error"], l1(fake, examples.b) if truth else metrics["nce"])
    assert recipe.model.training


def test_the_heads_learn_in_bfloat16_too():
    """In older versions of torch they do not, where weights are cast for the keys first, which have no gradients."""
    torch.manual_seed(0)
    recipe = config().recipe()
    with torch.autocast("cpu", torch.bfloat16):
        *_, update = recipe.updates(batch(), 0)
    update.losses["nce"].backward()
    assert all(head.grad is not None and head.grad.abs().sum() > 0 for head in recipe.heads.parameters())
