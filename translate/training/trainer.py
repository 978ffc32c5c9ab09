"""The one training step: a recipe says what to minimize, the trainer how."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Generic

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import B, derive_seed, to_device
from models.contract import Recipe, Update
from translate.experiment import TrainingConfig
from translate.hardware import Numerics, seed_draws
from translate.training.compilation import compile_networks
from translate.training.processes import World

EXTRA = "_extra_state"  # torch's suffix for what modules keep beside parameters and buffers
SMALLEST_SCALE = 1.0  # of a float16 loss; where gradients overflow even so, it is not the precision that fails
DRAWS = 1  # enters the seed of a step's random numbers; see `batches.ORDER`


class Trainer(Generic[B]):
    """Everything that changes while a recipe trains, and the step that changes it.

    Random numbers and learning rates are functions of the seed and the step, so there is no other state, and a
    resumed training is the same training.

    Attributes:
        recipe: What is trained.
        optimizers: One for each player.
        scalers: In float16, one for each player: it scales the loss, so that small gradients do not vanish.
        average: Exponential moving average of the model's weights; None if there is none.
        step: Steps taken so far.
        rollbacks: How often the training returned to an earlier state; it enters every seed, since otherwise the
            same failure would happen again.
        skipped: Updates left out because a loss or a gradient was not finite.
        failing: Consecutive steps, up to the last one, in which an update was left out, and not only because a scaled
            gradient exceeded float16, which the next, smaller scale mends.
    """

    def __init__(self, recipe: Recipe[B, Any], config: TrainingConfig, numerics: Numerics, world: World) -> None:
        self.recipe = numerics.place_network(recipe, world.device).train()
        self.config = config
        self.numerics = numerics
        self.world = world
        self.optimizers = recipe.optimizers()
        scaled = self.optimizers if numerics.precision == "fp16" else ()
        self.scalers = {name: torch.amp.GradScaler(world.device.type) for name in scaled}
        self.average = copy.deepcopy(recipe.model).eval() if config.ema_decay else None
        self.step = 0
        self.rollbacks = 0
        self.skipped = 0
        self.failing = 0
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        if config.compile:
            compile_networks(recipe)

    @property
    def shipped(self) -> Any:
        """The model that a model file ships: the average if there is one."""
        return self.recipe.model if self.average is None else self.average

    def advance(self, batches: Sequence[B]) -> dict[str, Tensor]:
        """Take one step on micro-batches whose gradients are averaged; return its losses and metrics by name.

        The updates of all micro-batches run in lockstep: each player moves once, when all have computed its losses.
        Graphs that `updates` holds across a yield stay in memory meanwhile, so accumulation saves less memory than in
        a loop that finishes one micro-batch before the next.
        """
        seed_draws(derive_seed(self.config.seed, DRAWS, self.rollbacks, self.world.rank, self.step), self.world.device)
        placed = [to_device(batch, self.world.device) for batch in batches]
        streams = [self.recipe.updates(self._to_layout(batch), self.step) for batch in placed]
        factor = self.config.rate_factor(self.step)
        report: dict[str, Tensor] = {}
        flags: list[Tensor] = []
        while (update := self._backward(streams, report)) is not None:
            flags.append(self._move(*update, factor))
        if self.world.size > 1:
            # Numbers that a recipe keeps beside the weights, such as BEGAN's k, come from each process's own batch.
            self.world.average([buffer for buffer in self.recipe.buffers() if buffer.is_floating_point()])
        if self.average is not None and self.config.ema_decay is not None:
            update_ema(self.average, self.recipe.model, self.config.ema_decay)
        # The one time in a step that the host waits for the device.
        skipped, failed = torch.stack(flags).sum(0).tolist()
        self.skipped += skipped
        self.failing = self.failing + 1 if failed else 0
        self.step += 1
        return report

    def _to_layout(self, batch: B) -> B:
        kind = type(batch)
        return kind(
            *(self.numerics.place_batch(field, self.world.device) if field.ndim == 4 else field for field in batch)
        )

    def _backward(self, streams: Sequence[Iterator[Update]], report: dict[str, Tensor]) -> tuple[str, Tensor] | None:
        """Compute the gradients of the next update; return its player and loss, or None after the last update."""
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
            # `inputs`: an update cannot touch another player, whose gradients are not even computed.
            scaled = self.scalers[player].scale(loss) if self.scalers else loss
            torch.autograd.backward(scaled, inputs=self._parameters(player))
            total += loss.detach()
            named = {f"{player}/{name}": value for name, value in (update.losses | update.metrics).items()}
            for name, value in named.items():
                part = value.detach().float() / len(streams)
                report[name] = report[name] + part if name in report else part
        return player, total

    def _move(self, player: str, loss: Tensor, factor: float) -> Tensor:
        """Move a player; return whether its update was left out, and whether it failed: (2,), bool, on the device."""
        optimizer, scaler = self.optimizers[player], self.scalers.get(player)
        parameters = self._parameters(player)
        if self.world.size > 1:
            for parameter in parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.world.average([*gradients, loss])  # all processes decide alike: an infinity of one reaches all
        if scaler is not None:
            scaler.unscale_(optimizer)
        # Any gradient may exceed float16 by itself.
        norm = nn.utils.get_total_norm(_select_small(gradients) if scaler is None else gradients)
        left_out = ~torch.isfinite(loss + norm)
        failed = left_out
        if scaler is not None:
            scale = scaler.scale(torch.ones_like(loss))
            failed = left_out & (~torch.isfinite(loss) | (scale <= SMALLEST_SCALE))
            scaler.update()
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]
        _step_unless(left_out, optimizer)
        return torch.stack([left_out, failed])

    def _parameters(self, player: str) -> list[nn.Parameter]:
        return [parameter for group in self.optimizers[player].param_groups for parameter in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """Return the state, without copying tensors; every process must call it.

        Weights are equal in all processes; the extra state of modules, such as a pool of images, is kept for each.
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
            "scalers": {name: scaler.state_dict() for name, scaler in self.scalers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.step, self.rollbacks, self.skipped = state["step"], state["rollbacks"], state["skipped"]
        self.failing = 0
        self.recipe.load_state_dict(state["recipe"] | state["own"][self.world.rank])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, scaler in self.scalers.items():
            scaler.load_state_dict(state["scalers"][name])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _step_unless(left_out: Tensor, optimizer: Optimizer) -> None:
    """Take an optimizer's step unless the flag, on its device, is set."""
    if optimizer.defaults.get("fused"):
        # What torch's own scaler does: the kernel reads the flag, so the host need not wait for the device.
        optimizer.found_inf = left_out.float()  # type: ignore[attr-defined]
        optimizer.step()
        del optimizer.found_inf  # type: ignore[attr-defined]
    elif not left_out:
        optimizer.step()


def _select_small(gradients: list[Tensor]) -> list[Tensor]:
    """Return the gradients that are enough to find out whether any is infinite or NaN: those of biases and norms.

    Both come from the same backward signal as the gradients of the large weights beside them, at a thousandth of the
    memory to read. What might still slip through makes the next loss infinite or NaN.
    """
    return [gradient for gradient in gradients if gradient.ndim <= 1] or gradients


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Update an exponential moving average of a model's parameters; buffers are copied."""
    torch._foreach_lerp_([*average.parameters()], [*model.parameters()], 1 - decay)
    for averaged, current in zip(average.buffers(), model.buffers(), strict=True):
        averaged.copy_(current)
