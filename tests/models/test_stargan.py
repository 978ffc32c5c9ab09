"""StarGAN against its paper and its authors' code: losses, labels, players, domains."""

import pytest
import torch
import torch.nn.functional as F

from datasets.contract import Attributed, LabelSet
from datasets.errors import UserError
from models.apply import translate_batch
from models.stargan import StarGANConfig, StarGANRecipe

SMALL = {"generator": {"blocks": 1, "width": 4}, "discriminator": {"layers": 2, "width": 4}, "size": 16}
FACES = LabelSet(names=("black", "blond", "male", "young"), exclusive=(("black", "blond"),))
MOODS = LabelSet(names=("happy", "sad", "calm"), classes=True)


def config(*sets: LabelSet, **settings) -> StarGANConfig:
    return StarGANConfig.model_validate({**SMALL, "label_sets": sets or (MOODS,), **settings})


def batch(*sets: LabelSet, count: int = 4) -> Attributed:
    """Pictures of the sets in turns."""
    draws = torch.Generator().manual_seed(0)
    sets = sets or (MOODS,)
    image = torch.rand(count, 3, 16, 16, generator=draws) * 2 - 1
    label = torch.zeros(count, sum(len(part.names) for part in sets))
    source = torch.arange(count) % len(sets)
    for row, index in enumerate(source.tolist()):
        before = sum(len(part.names) for part in sets[:index])
        if sets[index].classes:
            label[row, before + row // len(sets) % len(sets[index].names)] = 1
        else:
            label[row, before : before + 4] = torch.tensor([0.0, 1.0, float(row % 4 == 0), 1.0])
    return Attributed(image, label, source)


def test_the_defaults_are_the_papers():
    paper = StarGANConfig()
    assert (paper.generator.blocks, paper.generator.width, paper.discriminator.layers) == (6, 64, 6)
    weights = (paper.classification_weight, paper.reconstruction_weight, paper.gradient_penalty_weight)
    assert (*weights, paper.discriminator_steps) == (1, 10, 10, 5)
    for adam in (paper.generator_adam, paper.discriminator_adam):
        assert (adam.lr, adam.beta1, adam.beta2) == (1e-4, 0.5, 0.999)


@pytest.mark.parametrize(("sets", "numbers"), [((FACES,), 4), ((MOODS,), 3), ((FACES, MOODS), 4 + 3 + 2)])
def test_the_generator_takes_all_labels_and_a_mask_of_two_sets(sets, numbers):
    recipe = config(*sets).recipe()
    assert recipe.model.generator.layers[0].in_channels == 3 + numbers
    assert recipe.discriminator.classes.out_channels == numbers - (2 if len(sets) == 2 else 0)
    assert recipe.model.domains == tuple(name for part in sets for name in part.names)


def test_joint_training_has_the_published_sizes():
    sets = (LabelSet(names=tuple("abcde")), LabelSet(names=tuple("fghijklm"), classes=True))
    with torch.device("meta"):
        recipe = StarGANConfig(label_sets=sets, size=256).recipe()
    sizes = [sum(p.numel() for p in part.parameters()) for part in (recipe.model, recipe.discriminator)]
    assert sizes == [8_461_888, 45_147_072]


def run(recipe: StarGANRecipe, examples: Attributed, step: int, seed: int = 3):
    torch.manual_seed(seed)
    return list(recipe.updates(examples, step))


def draw_target(recipe: StarGANRecipe, examples: Attributed, seed: int = 3) -> torch.Tensor:
    torch.manual_seed(seed)
    return recipe.labels.permute(examples.label, examples.source)


@pytest.mark.parametrize("sets", [(MOODS,), (FACES,)])
def test_losses_are_those_of_the_authors_code(sets):
    recipe, examples = config(*sets).recipe(), batch(*sets)
    target = draw_target(recipe, examples)
    with torch.no_grad():
        fake = recipe.model.generator(examples.image, target)
        scores, logits = recipe.discriminator(examples.image)
        fake_scores, fake_logits = recipe.discriminator(fake)
        back = recipe.model.generator(fake, examples.label)

    def classification(logits, label):
        if sets[0].classes:
            return F.cross_entropy(logits, label.argmax(1))
        return F.binary_cross_entropy_with_logits(logits, label, reduction="sum") / len(logits)

    discriminator, generator = run(recipe, examples, 4)
    assert (discriminator.player, generator.player) == ("discriminator", "generator")
    assert torch.allclose(discriminator.losses["adversarial"], fake_scores.mean() - scores.mean(), atol=1e-6)
    assert torch.allclose(discriminator.losses["classification"], classification(logits, examples.label), atol=1e-6)
    assert torch.allclose(generator.losses["adversarial"], -fake_scores.mean(), atol=1e-6)
    assert torch.allclose(generator.losses["classification"], classification(fake_logits, target), atol=1e-6)
    assert torch.allclose(generator.losses["reconstruction"], 10 * F.l1_loss(back, examples.image), atol=1e-6)


def test_the_penalty_is_of_the_gradient_of_the_summed_scores():
    recipe, examples = config().recipe(), batch()
    target = draw_target(recipe, examples)
    fraction = torch.rand(4, 1, 1, 1)
    fake = recipe.model.generator(examples.image, target).detach()
    mixed = (fraction * examples.image + (1 - fraction) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(recipe.discriminator(mixed)[0].sum(), mixed)
    expected = 10 * ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
    assert torch.allclose(run(recipe, examples, 0)[0].losses["penalty"], expected, atol=1e-5)


def test_the_generator_moves_every_fifth_step_and_is_not_differentiated_in_between():
    recipe, examples = config().recipe(), batch()
    grads: list[bool] = []
    recipe.model.generator.register_forward_hook(lambda _, __, output: grads.append(output.requires_grad))
    players = [[update.player for update in run(recipe, examples, step)] for step in range(10)]
    assert players == [["discriminator"]] * 4 + [["discriminator", "generator"]] + players[5:]
    assert players[:5] == players[5:]
    assert grads == 2 * [*[False] * 4, True, True]


def test_metrics_are_the_critics_accuracy_and_the_error_of_a_round_trip():
    recipe, examples = config().recipe(), batch()
    torch.manual_seed(1)
    metrics = recipe.validate(recipe.model, examples)
    torch.manual_seed(1)
    target = recipe.labels.change_one(examples.label, examples.source)
    with torch.no_grad():
        output = recipe.model.generator(examples.image, target)
        recognised = recipe.discriminator(output)[1].argmax(1)
        back = recipe.model.generator(output, examples.label)
    assert torch.equal(metrics["label_accuracy"], (recognised == target.argmax(1)).float())
    assert torch.allclose(metrics["reconstruction"], (back - examples.image).abs().mean((1, 2, 3)) / 2)
    assert torch.allclose(metrics["error"], 1 - metrics["label_accuracy"] + metrics["reconstruction"])


def test_a_domain_becomes_a_label():
    model = config(FACES, MOODS).translator().eval()
    image = batch().image
    with torch.no_grad():
        for to, label in {
            "blond": [0, 1, 0, 0, 0, 0, 0, 1, 0],
            "young, blond": [0, 1, 0, 1, 0, 0, 0, 1, 0],
            "sad": [0, 0, 0, 0, 0, 1, 0, 0, 1],
        }.items():
            expected = model.generator(image, torch.tensor([label], dtype=torch.float32).expand(4, -1))
            assert torch.equal(translate_batch(model, image, model.resolve_domain(to)), expected), to


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("black,blond", "black,blond: no picture is both black and blond; ask for one after the other"),
        ("young,sad,male", "young,sad,male: no picture is both young and sad"),
        ("happy,sad", "happy,sad: no picture is both happy and sad"),
        ("young,old", "old: this model has the domains black, blond, male, young, happy, sad, calm"),
        ("old", "old: this model has the domains black"),
        (None, "this model has the domains black, .*: choose one"),
    ],
)
def test_domains_that_do_not_exist_or_exclude_each_other_are_refused(to, sentence):
    with pytest.raises(UserError, match=sentence):
        config(FACES, MOODS).translator().resolve_domain(to)


def test_the_order_and_repetition_of_names_do_not_matter():
    model = config(FACES, MOODS).translator()
    assert model.resolve_domain("young,black") == model.resolve_domain("black, young,black") == (0, 3)
    assert model.resolve_domain("calm") == 6
    assert config(LabelSet(names=("a,b", "c"))).translator().resolve_domain("a,b") == 0


def test_previews_are_made_as_at_inference():
    recipe, examples = config(FACES, MOODS).recipe(), batch(FACES, MOODS)
    previews = recipe.preview(recipe.model, examples)
    assert len(previews) == 7
    assert torch.equal(
        previews[5].output, translate_batch(recipe.model, examples.image, recipe.model.resolve_domain("sad"))
    )


def test_sizes_that_the_critic_cannot_take_whole_are_refused():
    assert StarGANConfig().size_problem(128) is None
    assert "need multiples of 64" in str(StarGANConfig().size_problem(96))
    assert StarGANConfig(discriminator={"layers": 5}).size_problem(96) is None
    assert StarGANConfig().for_size(64).recipe().discriminator.classes.kernel_size == (1, 1)


@pytest.mark.parametrize(("chosen", "found"), [((), ("one",)), (("a", "b"), ("b", "a"))])
def test_domains_other_than_the_configured_ones_are_refused(chosen, found):
    with pytest.raises(UserError, match="and the data"):
        StarGANConfig(domains=chosen).with_domains(found)
