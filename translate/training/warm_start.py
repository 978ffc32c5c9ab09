"""Starting a training from what another one learned: the same network, or parts that look at pictures alike."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.contract import Recipe, Trunk
from translate.inference.model_file import ModelError, load_network, model_path
from translate.run_folder import RunFolder

LEAST = 0.01  # share of weights that must fit for a start to be worth its name


def warm_start(recipe: Recipe[Any, Any], given: str) -> str:
    """Take over weights from a model file or run folder; say how many.

    From a model of the same kind: every tensor whose name and shape agree. From one of another kind: the layers of
    trunks of the same role, in order, as far as their shapes agree: a variational autoencoder's encoder for a
    generator's, a GAN's discriminator, which only a run folder keeps, for a discriminator of patches.

    Raises:
        ModelError: It cannot be read, or next to nothing fits.
    """
    path = model_path(given)
    network, card = load_network(path)
    if type(network) is type(recipe.model):
        return _same_kind(recipe.model, network, path)
    folder, experiment = Path(given), card.experiment
    source = RunFolder(folder).read_recipe(experiment) if folder.is_dir() else experiment.model.recipe()
    source.model.load_state_dict(network.state_dict())  # averaged, where an average is kept
    learned, wanted = _lent(source, whole=Path(given).is_dir()), recipe.trunks()
    gain = _range(source) / _range(recipe)
    shares = {role: _copied(learned[role], trunk, gain) for role, trunk in wanted.items() if role in learned}
    if max(shares.values(), default=0.0) < LEAST:
        has = ", ".join(f"{role} {type(part).__name__}" for role, part in learned.items()) or "no part to lend"
        raise ModelError(
            f"{given}: a {card.experiment.model.name} with {has}, of which next to nothing fits this experiment's "
            "model; give both the same widths, or start from a model of the same kind"
        )
    told = ", ".join(f"{share:.0%} of the {role}" for role, share in shares.items())
    return f"{told} {'start' if len(shares) > 1 else 'starts'} from the {card.experiment.model.name} {path.name}"


def _same_kind(own: nn.Module, other: nn.Module, path: Path) -> str:
    mine, theirs = own.state_dict(), other.state_dict()
    fitting = {name: tensor for name, tensor in theirs.items() if name in mine and mine[name].shape == tensor.shape}
    taken, known = sum(t.numel() for t in fitting.values()), sum(t.numel() for t in mine.values())
    if taken < LEAST * known:
        raise ModelError(f"{path}: next to none of its {len(theirs)} tensors fits this experiment's model")
    own.load_state_dict(fitting, strict=False)
    left = ", ".join([name for name in mine if name not in fitting][:5])
    return f"{taken / known:.0%} of the weights start from {path.name}" + (f"; drawn anew: {left}, …" if left else "")


def _lent(source: Recipe[Any, Any], *, whole: bool) -> dict[Trunk, nn.Module]:
    """The trunks whose weights were really learned: a model file holds none of what exists only in training."""
    shipped = set(map(id, source.model.modules()))
    return {role: trunk for role, trunk in source.trunks().items() if whole or id(trunk) in shipped}


def _range(recipe: Recipe[Any, Any]) -> float:
    return 2.0 if recipe.signed_input else 1.0


@torch.no_grad()
def _copied(source: nn.Module, target: nn.Module, gain: float) -> float:
    """Copy layer by layer what fits; the share of the target's parameters that came over.

    `gain` makes the first layer respond as strongly to pictures of the target's range as it did to the source's.
    """
    taken = 0
    for place, (theirs, mine) in enumerate(zip(_layers(source), _layers(target), strict=False)):
        for name in ("weight", "bias"):
            given, wanted = getattr(theirs, name), getattr(mine, name)
            if isinstance(given, Tensor) and isinstance(wanted, Tensor) and given.shape == wanted.shape:
                given = gain * given if place == 0 and name == "weight" else given
                if parametrize.is_parametrized(mine, name):
                    setattr(mine, name, given)
                else:
                    wanted.copy_(given)
                taken += given.numel()
    return taken / max(1, sum(parameter.numel() for parameter in target.parameters()))


def _layers(trunk: nn.Module) -> list[nn.Module]:
    return [layer for layer in trunk.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
