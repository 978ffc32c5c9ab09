"""Compile the networks of a recipe with `torch.compile`."""

import torch
from torch import nn

from models.contract import Encoder, Recipe, Sampler, Translator

# By which recipes call a network, beside `forward`: features that CUT and feature matching compare.
METHODS = ("encode", "decode", "features")


def compile_networks(module: nn.Module) -> None:
    """Compile every network in a recipe, in place, by the methods through which recipes call it.

    A recipe calls its model by several methods, and through them, or past them, the networks that the model is made
    of; so it is these that are compiled.
    """
    for child in module.children():
        if isinstance(child, Recipe | Translator | Sampler | Encoder | nn.ModuleList):
            compile_networks(child)
        elif any(True for _ in child.parameters()):
            child.compile()
            for name in METHODS:
                if hasattr(child, name):
                    setattr(child, name, torch.compile(getattr(child, name)))
