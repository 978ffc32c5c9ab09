"""Configurations of the optimizers; each builds its optimizer."""

import torch
from torch import nn
from torch.optim import Optimizer

from datasets.contract import Settings


class Adam(Settings):
    """Adam (Kingma, Ba 2014, arXiv:1412.6980); the defaults are those of Isola et al. 2017, section 3.3."""

    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999

    def of(self, *modules: nn.Module) -> Optimizer:
        """Build an optimizer of all trainable parameters of `modules`; fused, which saves a fifth of a step."""
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        return torch.optim.Adam(parameters, lr=self.lr, betas=(self.beta1, self.beta2), fused=True)
