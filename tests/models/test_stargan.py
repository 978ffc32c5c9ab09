"""StarGAN against its paper and its authors' code: losses, labels, who moves when, and what may be asked for."""

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


@pytest.mark.parametrize(("sets", "told"), [((FACES,), 4), ((MOODS,), 3), ((FACES, MOODS), 4 + 3 + 2)])
def test_the_generator_is_told_all_labels_and_which_of_two_sets_is_meant(sets, told):
    recipe = config(*sets).recipe()
    assert recipe.model.generator.layers[0].in_channels == 3 + told
    assert recipe.discriminator.classes.out_channels == told - (2 if len(sets) == 2 else 0)
    assert recipe.model.domains == tuple(name for part in sets for name in part.names)


def test_joint_training_has_the_published_sizes():
    sets = (LabelSet(names=tuple("abcde")), LabelSet(names=tuple("fghijklm"), classes=True))
    with torch.device("meta"):
        recipe = StarGANConfig(label_sets=sets, size=256).recipe()
    sizes = [sum(p.numel() for p in part.parameters()) for part in (recipe.model, recipe.discriminator)]
    assert sizes == [8_461_888, 45_147_072]


def run(recipe: StarGANRecipe, given: Attributed, step: int, seed: int = 3):
    torch.manual_seed(seed)
    return list(recipe.updates(given, step))


def wanted(recipe: StarGANRecipe, given: Attributed, seed: int = 3) -> torch.Tensor:
    torch.manual_seed(seed)
    return recipe.labels.permute(given.label, given.source)


@pytest.mark.parametrize("sets", [(MOODS,), (FACES,)])
def test_losses_are_those_of_the_authors_code(sets):
    recipe, given = config(*sets).recipe(), batch(*sets)
    target = wanted(recipe, given)
    with torch.no_grad():
        fake = recipe.model.generator(given.image, target)
        scores, logits = recipe.discriminator(given.image)
        fake_scores, fake_logits = recipe.discriminator(fake)
        back = recipe.model.generator(fake, given.label)

    def classification(logits, label):
        if sets[0].classes:
            return F.cross_entropy(logits, label.argmax(1))
        return F.binary_cross_entropy_with_logits(logits, label, reduction="sum") / len(logits)

    discriminator, generator = run(recipe, given, 4)
    assert (discriminator.player, generator.player) == ("discriminator", "generator")
    assert torch.allclose(discriminator.losses["adversarial"], fake_scores.mean() - scores.mean(), atol=1e-6)
    assert torch.allclose(discriminator.losses["classification"], classification(logits, given.label), atol=1e-6)
    assert torch.allclose(generator.losses["adversarial"], -fake_scores.mean(), atol=1e-6)
    assert torch.allclose(generator.losses["classification"], classification(fake_logits, target), atol=1e-6)
    assert torch.allclose(generator.losses["reconstruction"], 10 * F.l1_loss(back, given.image), atol=1e-6)


def test_the_penalty_is_of_the_gradient_of_the_summed_scores():
    recipe, given = config().recipe(), batch()
    target = wanted(recipe, given)
    share = torch.rand(4, 1, 1, 1)
    fake = recipe.model.generator(given.image, target).detach()
    mixed = (share * given.image + (1 - share) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(recipe.discriminator(mixed)[0].sum(), mixed)
    expected = 10 * ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
    assert torch.allclose(run(recipe, given, 0)[0].losses["penalty"], expected, atol=1e-5)


def test_the_generator_moves_every_fifth_step_and_is_not_differentiated_in_between():
    recipe, given = config().recipe(), batch()
    grads: list[bool] = []
    recipe.model.generator.register_forward_hook(lambda _, __, made: grads.append(made.requires_grad))
    players = [[update.player for update in run(recipe, given, step)] for step in range(10)]
    assert players == [["discriminator"]] * 4 + [["discriminator", "generator"]] + players[5:]
    assert players[:5] == players[5:]
    assert grads == 2 * [*[False] * 4, True, True]


def test_pictures_aim_for_labels_of_their_own_set():
    sets = (FACES, MOODS)
    recipe, given = config(*sets).recipe(), batch(*sets, count=20)
    target = wanted(recipe, given)
    assert not target[0::2, 4:].any()
    assert not target[1::2, :4].any()
    assert (target[1::2, 4:].sum(1) == 1).all()
    assert not torch.equal(target, given.label)
    for half in (slice(0, None, 2), slice(1, None, 2)):
        rows = [sorted(map(tuple, labels[half].tolist())) for labels in (given.label, target)]
        assert rows[0] == rows[1]


def test_of_two_sets_each_pictures_own_labels_count():
    sets = (FACES, MOODS)
    recipe, given = config(*sets).recipe(), batch(*sets)
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(1))
    expected = [
        F.binary_cross_entropy_with_logits(logits[row, :4], given.label[row, :4], reduction="sum")
        if row % 2 == 0
        else F.cross_entropy(logits[row, 4:], given.label[row, 4:].argmax())
        for row in range(4)
    ]
    assert torch.allclose(recipe.labels.classification_loss(logits, given.label, given.source), torch.stack(expected))
    right = 20 * (given.label - 0.5)
    assert torch.equal(recipe.labels.accuracy(right, given.label, given.source), torch.ones(4))
    assert torch.equal(recipe.labels.accuracy(-right, given.label, given.source)[0::2], torch.zeros(2))


def test_a_changed_label_is_another_class_or_one_attribute_more_or_less():
    sets = (FACES, MOODS)
    recipe, given = config(*sets).recipe(), batch(*sets, count=200)
    torch.manual_seed(0)
    changed = recipe.labels.change_one(given.label, given.source)
    assert not changed[0::2, 4:].any()
    assert not changed[1::2, :4].any()
    assert (changed[1::2].sum(1) == 1).all()
    assert ((changed != given.label).any(1)).all()
    faces, before = changed[0::2, :4], given.label[0::2, :4]
    assert (faces[:, :2].sum(1) <= 1).all()
    moved = (faces != before).sum(1)
    hair = (faces[:, 0] == 1) & (before[:, 0] == 0)  # from blond to black two labels move
    assert hair.any()
    assert torch.equal(moved, 1 + hair.long())


def test_figures_are_what_the_critic_recognises_and_what_comes_back():
    recipe, given = config().recipe(), batch()
    torch.manual_seed(1)
    figures = recipe.validate(recipe.model, given)
    torch.manual_seed(1)
    target = recipe.labels.change_one(given.label, given.source)
    with torch.no_grad():
        made = recipe.model.generator(given.image, target)
        told = recipe.discriminator(made)[1].argmax(1)
        back = recipe.model.generator(made, given.label)
    assert torch.equal(figures["recognised"], (told == target.argmax(1)).float())
    assert torch.allclose(figures["reconstruction"], (back - given.image).abs().mean((1, 2, 3)) / 2)
    assert torch.allclose(figures["error"], 1 - figures["recognised"] + figures["reconstruction"])


def test_what_is_aimed_for_becomes_a_label():
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
def test_what_cannot_be_had_is_said(to, sentence):
    with pytest.raises(UserError, match=sentence):
        config(FACES, MOODS).translator().resolve_domain(to)


def test_what_can_be_had_is_told_whatever_the_order_and_how_often_it_is_named():
    model = config(FACES, MOODS).translator()
    assert model.resolve_domain("young,black") == model.resolve_domain("black, young,black") == (0, 3)
    assert model.resolve_domain("calm") == 6
    assert config(LabelSet(names=("a,b", "c"))).translator().resolve_domain("a,b") == 0


def test_previews_are_what_use_would_make():
    recipe, given = config(FACES, MOODS).recipe(), batch(FACES, MOODS)
    shown = recipe.preview(recipe.model, given)
    assert len(shown) == 7
    assert torch.equal(shown[5].output, translate_batch(recipe.model, given.image, recipe.model.resolve_domain("sad")))


def test_sizes_that_the_critic_cannot_judge_as_a_whole_are_refused():
    assert StarGANConfig().size_problem(128) is None
    assert "need multiples of 64" in str(StarGANConfig().size_problem(96))
    assert StarGANConfig(discriminator={"layers": 5}).size_problem(96) is None
    assert StarGANConfig().for_size(64).recipe().discriminator.classes.kernel_size == (1, 1)


@pytest.mark.parametrize(("chosen", "found"), [((), ("one",)), (("a", "b"), ("b", "a"))])
def test_domains_that_do_not_suit_are_refused(chosen, found):
    with pytest.raises(UserError, match="and the data"):
        StarGANConfig(domains=chosen).with_domains(found)
