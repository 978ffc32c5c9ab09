"""The one training loop: a recipe says what to minimise, this says how."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Generic

import torch
from torch import Tensor, nn

from datasets.contract import B, derive_seed, to_device
from models.contract import Recipe, Update
from translate.experiment import TrainingConfig
from translate.hardware import Numerics, seed_draws
from translate.training.processes import World

EXTRA = "_extra_state"  # how torch ends the names of what modules keep beside parameters and buffers
DRAWS = 1  # what a seed is for: derive_seed(seed, DRAWS, …) gives the draws of a step


class Trainer(Generic[B]):
    """Everything that changes while a recipe trains, and the step that changes it.

    Randomness and learning rates are functions of the seed and the step, so that the state below is
    all there is, and a resumed training is the same training.

    Attributes:
        step: Steps taken so far.
        rollbacks: How often the training returned to an earlier state; it enters every seed, or the
            same failure would come again.
        skipped: Updates left out because a loss or a gradient was not finite.
        failing: Steps in a row up to now in which that happened.
    """

    def __init__(self, recipe: Recipe[B, Any], config: TrainingConfig, numerics: Numerics, world: World) -> None:
        self.recipe = numerics.settle(recipe, world.device).train()
        self.config = config
        self.numerics = numerics
        self.world = world
        self.optimizers = recipe.optimizers()
        self.average = copy.deepcopy(recipe.model).eval() if config.ema_decay else None
        self.step = 0
        self.rollbacks = 0
        self.skipped = 0
        self.failing = 0
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        if config.compile:
            for part in recipe.children():
                part.compile()

    @property
    def shipped(self) -> Any:
        """The model as a model file ships it: averaged, where an average is kept."""
        return self.recipe.model if self.average is None else self.average

    def advance(self, batches: Sequence[B]) -> dict[str, Tensor]:
        """Take one step on micro-batches whose gradients are averaged; return its losses and metrics.

        The micro-batches' updates run in lockstep: each is drawn from all of them before its player
        moves. What an `updates` computed before a yield stays in memory meanwhile, so accumulation
        saves less memory here than in a loop that forgets everything between two batches.
        """
        seed_draws(derive_seed(self.config.seed, DRAWS, self.rollbacks, self.world.rank, self.step), self.world.device)
        placed = [to_device(batch, self.world.device) for batch in batches]
        streams = [self.recipe.updates(self._laid_out(batch), self.step) for batch in placed]
        factor, skipped = self.config.rate_factor(self.step), self.skipped
        report: dict[str, Tensor] = {}
        while (drawn := self._backward(streams, report)) is not None:
            self._move(*drawn, factor)
        if self.world.size > 1:
            # Where a recipe keeps a number of its own beside the weights, each process made it from its own batch.
            self.world.average([buffer for buffer in self.recipe.buffers() if buffer.is_floating_point()])
        if self.average is not None and self.config.ema_decay is not None:
            update_ema(self.average, self.recipe.model, self.config.ema_decay)
        self.failing = self.failing + 1 if self.skipped > skipped else 0
        self.step += 1
        return report

    def _laid_out(self, batch: B) -> B:
        kind = type(batch)
        return kind(*(self.numerics.place(field, self.world.device) if field.ndim == 4 else field for field in batch))

    def _backward(self, streams: Sequence[Iterator[Update]], report: dict[str, Tensor]) -> tuple[str, Tensor] | None:
        """Leave the next update's averaged gradients on its player's parameters; return player and loss, or None."""
        player, total = "", torch.zeros((), device=self.world.device)
        for stream in streams:
            with self.numerics.autocast(self.world.device):
                update = next(stream, None)
                if update is None:
                    return None
                loss = torch.stack([*update.losses.values()]).sum() / len(streams)
            if not player:
                player = update.player
                self.optimizers[player].zero_grad(set_to_none=True)
            # Nobody else's gradients are even computed.
            torch.autograd.backward(loss, inputs=self._movable(player))
            total += loss.detach()
            named = {f"{player}/{name}": value for name, value in (update.losses | update.metrics).items()}
            for name, value in named.items():
                share = value.detach().float() / len(streams)
                report[name] = report[name] + share if name in report else share
        return player, total

    def _move(self, player: str, loss: Tensor, factor: float) -> None:
        optimizer = self.optimizers[player]
        parameters = self._movable(player)
        if self.world.size > 1:
            for parameter in parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.world.average([*gradients, loss])  # an infinity of one process reaches all, so all decide alike
        if not torch.isfinite(loss + nn.utils.get_total_norm(_telling(gradients))):
            self.skipped += 1
            return
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]
        optimizer.step()

    def _movable(self, player: str) -> list[nn.Parameter]:
        return [parameter for group in self.optimizers[player].param_groups for parameter in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """All of it, of every process, each of which must ask; tensors are not copied.

        Weights are the same in all; what modules keep beside them, such as a pool of pictures, is each process's own.
        """
        recipe = self.recipe.state_dict()
        own = {name: recipe.pop(name) for name in list(recipe) if name.endswith(EXTRA)}
        return {
            "step": self.step,
            "rollbacks": self.rollbacks,
            "skipped": self.skipped,
            "recipe": recipe,
            "own": self.world.gather(own),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a state."""
        self.step, self.rollbacks, self.skipped = state["step"], state["rollbacks"], state["skipped"]
        self.failing = 0
        self.recipe.load_state_dict(state["recipe"] | state["own"][self.world.rank])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _telling(gradients: list[Tensor]) -> list[Tensor]:
    """The gradients by which to see whether any is infinite or no number.

    A layer's bias or norm is given the sum of what its weights are given products of, so the small
    gradients tell of the large ones at a thousandth of the reading; what might still slip through
    makes the next loss tell.
    """
    return [gradient for gradient in gradients if gradient.ndim <= 1] or gradients


@torch.no_grad()
def update_ema(average: nn.Module, leader: nn.Module, decay: float) -> None:
    """Move `average` a little toward `leader`: a moving average of parameters, a copy of buffers."""
    torch._foreach_lerp_([*average.parameters()], [*leader.parameters()], 1 - decay)
    for kept, current in zip(average.buffers(), leader.buffers(), strict=True):
        kept.copy_(current)
