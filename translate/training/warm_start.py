"""Warm starts: a training begins with the weights of another one's network, or of parts that do the same work."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.contract import Recipe, Trunk
from translate.inference.model_file import ModelError, load_network, model_path
from translate.run_folder import RunFolder

MIN_FRACTION = 0.01  # of the weights that must fit; less is taken for a mistake. Chosen by hand


def warm_start(recipe: Recipe[Any, Any], source: str) -> str:
    """Copy weights from a model file or run folder into a recipe; return a message that says how many.

    From a model of the same kind: every tensor whose name and shape agree. From a model of another kind: the layers of
    trunks with the same role, in order, as far as their shapes agree. So a variational autoencoder's encoder becomes
    a generator's, and a GAN's discriminator, which only a run folder holds, a discriminator of patches.

    Raises:
        ModelError: It cannot be read, or next to nothing fits.
    """
    path = model_path(source)
    network, card = load_network(path)
    if type(network) is type(recipe.model):
        return _copy_same_kind(recipe.model, network, path)
    folder, experiment = Path(source), card.experiment
    other = RunFolder(folder).read_recipe(experiment) if folder.is_dir() else experiment.model.recipe()
    other.model.load_state_dict(network.state_dict())  # the average, if there is one
    theirs, ours = _trained_trunks(other, is_run=folder.is_dir()), recipe.trunks()
    gain = _input_range(other) / _input_range(recipe)
    fractions = {role: _copy_layers(theirs[role], trunk, gain) for role, trunk in ours.items() if role in theirs}
    kind = experiment.model.name
    if max(fractions.values(), default=0.0) < MIN_FRACTION:
        parts = ", ".join(f"{role} {type(part).__name__}" for role, part in theirs.items()) or "no part to reuse"
        raise ModelError(
            f"{source}: a {kind} with {parts}, of which next to nothing fits this experiment's model; "
            "give both the same widths, or start from a model of the same kind"
        )
    copied = ", ".join(f"{fraction:.0%} of the {role}" for role, fraction in fractions.items())
    return f"{copied} {'start' if len(fractions) > 1 else 'starts'} from the {kind} {path.name}"


def _copy_same_kind(model: nn.Module, other: nn.Module, path: Path) -> str:
    ours, theirs = model.state_dict(), other.state_dict()
    fitting = {name: tensor for name, tensor in theirs.items() if name in ours and ours[name].shape == tensor.shape}
    copied, total = sum(t.numel() for t in fitting.values()), sum(t.numel() for t in ours.values())
    if copied < MIN_FRACTION * total:
        raise ModelError(f"{path}: next to none of its {len(theirs)} tensors fits this experiment's model")
    model.load_state_dict(fitting, strict=False)
    fresh = ", ".join([name for name in ours if name not in fitting][:5])
    return f"{copied / total:.0%} of the weights start from {path.name}" + (
        f"; drawn anew: {fresh}, …" if fresh else ""
    )


def _trained_trunks(recipe: Recipe[Any, Any], *, is_run: bool) -> dict[Trunk, nn.Module]:
    """Return the trunks with trained weights; a model file, unlike a run, holds none of what only training needs."""
    shipped = set(map(id, recipe.model.modules()))
    return {role: trunk for role, trunk in recipe.trunks().items() if is_run or id(trunk) in shipped}


def _input_range(recipe: Recipe[Any, Any]) -> float:
    """Return the difference between white and black in the input of a recipe's trunks."""
    return 2.0 if recipe.signed_input else 1.0


@torch.no_grad()
def _copy_layers(source: nn.Module, target: nn.Module, gain: float) -> float:
    """Copy what fits, layer by layer, and return the fraction of the target's parameters that were copied.

    The first layer's weights are multiplied by `gain`, so that it responds to images of the target's range as strongly
    as it did to those of the source's.
    """
    copied = 0
    for index, (theirs, ours) in enumerate(zip(_layers(source), _layers(target), strict=False)):
        for name in ("weight", "bias"):
            old, new = getattr(theirs, name), getattr(ours, name)
            if isinstance(old, Tensor) and isinstance(new, Tensor) and old.shape == new.shape:
                old = gain * old if index == 0 and name == "weight" else old
                if parametrize.is_parametrized(ours, name):
                    setattr(ours, name, old)
                else:
                    new.copy_(old)
                copied += old.numel()
    return copied / max(1, sum(parameter.numel() for parameter in target.parameters()))


def _layers(trunk: nn.Module) -> list[nn.Module]:
    return [layer for layer in trunk.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
