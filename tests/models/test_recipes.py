"""A grid of questions to every recipe; a new one is found through the union of all models."""

import ast
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml
from pydantic import BaseModel
from torch import Tensor

from datasets.contract import Attributed, Masked, Paired, Pictures, Unpaired
from models.contract import Recipe, Translator
from models.zoo import ZooConfig
from translate.experiment import Experiment, TrainingConfig, load_experiment
from translate.hardware import Numerics
from translate.recipes import recipe_names
from translate.training.processes import World
from translate.training.trainer import Trainer
from translate.training.validation import fixed_randomness

SMALL = {
    **{"width": 4, "depth": 3, "layers": 1, "blocks": 1, "dropout": 0.5, "discriminator_steps": 2},
    **{"steps": 2, "bound_evaluations": 1, "steps_per_level": 1},
    **{"growth": 2, "dense": 4, "pixel_steps": 1, "content": "vgg22", "smooth_levels": 2, "widest": 8, "bottleneck": 6},
}
FP32, BF16 = Numerics("fp32", "contiguous", 1), Numerics("bf16", "contiguous", 1)
MODELS = Path(__file__).parents[2] / "models"


def draw_image(*shape: int) -> Tensor:
    return torch.rand(*shape) * 2 - 1


def side_of(config: Any) -> int:
    """Pixels on a side of what a model learns from: 16, or for upscalers 48, which every scale divides."""
    return 16 if config.output_scale == 1 else 48


def channels_of(config: Any) -> int:
    return next(iter(config.expects.values()))


def pairs(config: Any) -> Paired:
    (channels_in, channels_out), side = config.expects.values(), side_of(config)
    small = side // config.output_scale
    return Paired(draw_image(2, channels_in, small, small), draw_image(2, channels_out, side, side))


def holed(config: Any) -> Masked:
    side = getattr(config.generator, "size", 16)
    mask = torch.zeros(2, 1, side, side)
    mask[0, :, 4:12, 2:8] = mask[1, :, :, 11:] = 1
    return Masked(draw_image(2, 3, side, side), mask)


# One line for each kind of batch: an example of 2 images, of 16 pixels unless the model needs others.
EXAMPLES: dict[type, Callable[[Any], Any]] = {
    Unpaired: lambda config: Unpaired(
        draw_image(2, channels_of(config), 16, 16),
        draw_image(2, channels_of(config), 16, 16),
        torch.zeros(2, dtype=torch.bool),
    ),
    Attributed: lambda config: Attributed(
        draw_image(2, channels_of(config), 16, 16), torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 0])
    ),
    Paired: pairs,
    Masked: holed,
    Pictures: lambda config: Pictures(
        draw_image(2, channels_of(config), config.size, config.size), torch.tensor([1, 0])
    ),
}


def members(annotation: Any) -> Iterator[Any]:
    """The classes of settings in a possibly nested, possibly annotated union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from members(part)


def trained_models() -> list[Any]:
    """All models but those that are only imported."""
    return [kind for kind in members(Experiment.model_fields["model"].annotation) if kind is not ZooConfig]


def shrunk(tree: Any) -> Any:
    """Settings with small numbers for whatever makes a network large."""
    if not isinstance(tree, dict):
        return tree
    return {key: SMALL[key] if key in SMALL and value else shrunk(value) for key, value in tree.items()}


def cells() -> dict[str, Any]:
    """Every model by its defaults, and as every recipe that ships wants it."""
    kinds = trained_models()
    found = {f"{kind.__name__}-defaults": kind() for kind in kinds}
    found |= {f"{name}.yaml": load_experiment(name).model for name in recipe_names()}
    small = {name: type(config).model_validate(shrunk(config.model_dump())) for name, config in found.items()}
    suited = {name: config.with_domains(("one", "other")) for name, config in small.items()}
    return {name: config.for_size(side_of(config)) for name, config in suited.items()}


CELLS = cells()


@pytest.fixture(params=CELLS)
def config(request) -> Any:
    torch.manual_seed(0)
    return CELLS[request.param]


def trainer(config: Any, numerics: Numerics = FP32, **settings: Any) -> Trainer[Any]:
    return Trainer(config.recipe(), TrainingConfig(**settings), numerics, World())


def examples(config: Any, count: int) -> list[Any]:
    return [EXAMPLES[config.batch_type](config) for _ in range(count)]


def copies(recipe: Recipe[Any, Any]) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in recipe.named_parameters()}


def assert_same(one: Any, other: Any) -> None:
    """Equal to the last bit, however deep."""
    assert type(one) is type(other)
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert one == other


def test_every_model_of_the_union_has_a_shipped_recipe():
    kinds = {kind.model_fields["name"].default for kind in trained_models()}
    assert kinds == {load_experiment(name).model.name for name in recipe_names()}


@pytest.mark.parametrize("numerics", [FP32, BF16], ids=lambda numerics: numerics.precision)
def test_losses_and_metrics_are_finite_numbers(config, numerics):
    learner = trainer(config, numerics)
    for batch in examples(config, 3):
        report = learner.advance([batch])
        assert {name.split("/")[0] for name in report} <= set(learner.optimizers)
        assert all(value.ndim == 0 and torch.isfinite(value) for value in report.values())
    assert learner.skipped == 0
    assert all(parameter.dtype == torch.float32 for parameter in learner.recipe.parameters())


def test_every_update_moves_its_player_and_no_other(config, monkeypatch):
    learner = trainer(config)
    names = {id(parameter): name for name, parameter in learner.recipe.named_parameters()}
    seen: set[str] = set()

    def gradients(besides: set[str]) -> dict[str, Any]:
        found = {name: p.grad for name, p in learner.recipe.named_parameters() if name not in besides}
        return {name: None if gradient is None else gradient.clone() for name, gradient in found.items()}

    def watched(batch: Any, step: int) -> Iterator[Any]:
        for update in type(learner.recipe).updates(learner.recipe, batch, step):
            groups = learner.optimizers[update.player].param_groups
            own = {names[id(parameter)] for group in groups for parameter in group["params"]}
            before, untouched = copies(learner.recipe), gradients(own)
            yield update
            after = copies(learner.recipe)
            moved = {name for name in after if not torch.equal(before[name], after[name])}
            assert moved, f"{update.player} stood still"
            assert moved <= own, f"{update.player} moved others: {sorted(moved - own)}"
            assert_same(gradients(own), untouched)
            seen.add(update.player)

    monkeypatch.setattr(learner.recipe, "updates", watched)
    for batch in examples(config, 3):
        learner.advance([batch])
    idle = {"discriminator"} if getattr(config, "adversarial_weight", 1) == 0 else set()
    assert seen == set(learner.optimizers) - idle


def test_every_parameter_that_learns_has_exactly_one_owner(config):
    recipe = config.recipe()
    owned = [
        id(parameter)
        for optimizer in recipe.optimizers().values()
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(parameter) for parameter in recipe.parameters() if parameter.requires_grad}


@pytest.mark.parametrize("numerics", [FP32, BF16], ids=lambda numerics: numerics.precision)
def test_a_saved_and_restored_training_continues_as_if_never_stopped(config, numerics, tmp_path):
    batches = examples(config, 4)
    straight, first, second = (trainer(config, numerics, ema_decay=0.9, seed=5) for _ in range(3))
    straight.recipe.load_state_dict(first.recipe.state_dict())
    assert straight.average is not None
    assert first.average is not None
    straight.average.load_state_dict(first.average.state_dict())
    for batch in batches:
        straight.advance([batch])
    for batch in batches[:2]:
        first.advance([batch])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for batch in batches[2:]:
        second.advance([batch])
    assert_same(straight.state_dict(), second.state_dict())


def test_previews_are_strips_of_colour_made_by_the_model_as_shipped(config):
    recipe = config.recipe()
    (batch,) = examples(config, 1)
    with fixed_randomness(torch.device("cpu")):
        previews = recipe.preview(recipe.model, batch)
    with fixed_randomness(torch.device("cpu")):
        again = recipe.preview(recipe.model, batch)
    assert previews
    assert all(torch.equal(one.output, other.output) for one, other in zip(previews, again, strict=True))
    for one in previews:
        assert len(one.output) == 2
        images = [image for image in (one.source, one.output, one.target) if image is not None]
        height, width = one.output.shape[-2:]
        assert one.strips().shape == (2, 3, height, len(images) * width)
    assert recipe.model.training


def test_every_example_has_the_metric_that_chooses_the_best_model(config):
    recipe = config.recipe()
    (batch,) = examples(config, 1)
    metrics = recipe.validate(recipe.model, batch)
    assert recipe.best_metric in metrics
    assert isinstance(recipe.higher_is_better, bool)
    assert all(values.shape == (2,) and torch.isfinite(values).all() for values in metrics.values())


def test_the_translator_alone_has_the_weights_that_the_recipe_trains(config):
    network, trained = config.translator(), config.recipe().model
    network.load_state_dict(trained.state_dict())
    assert type(network) is type(trained)
    counters = "num_batches_tracked"  # of batch norms, beside their statistics
    assert all(t.is_floating_point() for name, t in network.state_dict().items() if not name.endswith(counters))


def test_a_configuration_survives_yaml(config):
    text = yaml.safe_dump(config.model_dump(mode="json"))
    assert type(config).model_validate(yaml.safe_load(text)) == config


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.py")), ids=lambda path: path.relative_to(MODELS).as_posix())
def test_nothing_is_yielded_inside_a_with(path):
    """A context around a yield would leak to the caller, who computes in it until the next update."""
    yields = (ast.Yield, ast.YieldFrom)
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or manages_a_context(function):
            continue
        for block in ast.walk(function):
            if isinstance(block, ast.With):
                inside = [node.lineno for node in ast.walk(block) if isinstance(node, yields)]
                assert not inside, f"{path.name}: line {inside[0]} yields inside a with"


def manages_a_context(function: ast.FunctionDef) -> bool:
    return any("contextmanager" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_what_a_translator_states_of_its_sizes_is_true(config: Any) -> None:
    """Its smallest image, the multiple of its sides, and how far an input pixel reaches: tiles depend on them."""
    model = config.translator().eval()
    if not isinstance(model, Translator) or model.only_size is not None:
        return
    side = model.multiple * math.ceil(model.minimum / model.multiple)
    domain = model.resolve_domain(model.domains[-1] if model.domains else None)
    with torch.no_grad():
        assert model(draw_image(1, model.channels_in, side, side), domain).shape[-1] == model.scale * side
        if model.margin is None or model.global_norm:
            return
        for parameter in model.parameters():  # wide enough for an input to be felt at the end of its reach
            torch.nn.init.uniform_(parameter, 0.05, 0.2)
        place = model.multiple * math.ceil((model.margin + 1) / model.multiple)
        side = place + model.multiple * math.ceil((model.margin + 2) / model.multiple)
        image = draw_image(1, model.channels_in, side, side)
        changed = image.clone()
        changed[..., place, place] = -changed[..., place, place]
        difference = (model(image, domain) - model(changed, domain)).abs().amax(dim=(0, 1))
    rows = torch.nonzero(difference.amax(dim=1) > 0).flatten() // model.scale
    assert len(rows), "the output does not depend on its input"
    assert place - model.margin <= int(rows.min())
    assert int(rows.max()) <= place + model.margin
