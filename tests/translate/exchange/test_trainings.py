"""Files of whole trainings are read without the libraries that wrote them, and nothing in them runs."""

import argparse
import os
import sys
import types
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytest
import torch
from torch.serialization import get_safe_globals

from translate.exchange.checkpoint import read_checkpoint
from translate.exchange.trainings import load_pickle


def build_class(name: str, bases: tuple[type, ...] = (), **members: Any) -> type:
    """A class of a library that is not installed; its module is left in `sys.modules`."""
    module, _, own = name.rpartition(".")
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    built = type(own, bases, {"__module__": module, **members})
    setattr(sys.modules[module], own, built)
    return built


@pytest.fixture
def training(tmp_path, monkeypatch) -> Path:
    """A file as LaMa's authors published theirs: Lightning's callbacks are keys, settings are OmegaConf's."""
    modules = dict(sys.modules)
    callback = build_class("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
    settings = build_class("pytorch_lightning.utilities.parsing.AttributeDict", (dict,))
    config = build_class("omegaconf.dictconfig.DictConfig", __setstate__=lambda self, state: os.abort())
    tree = config()
    tree.__dict__.update(_content={"a": 1}, _type=dict)
    content = {
        "state_dict": {"generator.weight": torch.ones(3), "discriminator.weight": torch.zeros(2)},
        "callbacks": {callback: {"best": torch.tensor(1.0)}},
        "hyper_parameters": tree,
        "more": settings(lr=1, nested=settings(steps=2), options=argparse.Namespace(gpus=1)),
    }
    torch.save(content, tmp_path / "best.ckpt")
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    return tmp_path / "best.ckpt"


def test_the_weights_of_a_training_are_read(training):
    before = get_safe_globals()
    assert read_checkpoint(training).keys() == {"weight"}
    content = load_pickle(training, mmap=False)
    assert content["more"]["nested"] == {"steps": 2}
    assert set(get_safe_globals()) == set(before)
    assert "pytorch_lightning" not in sys.modules
    assert "omegaconf" not in sys.modules


class Runs:
    """Pickled, it asks the reader to call a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, eval, dict.fromkeys])
def test_what_would_run_is_refused(function, tmp_path):
    torch.save({"state_dict": {"w": torch.ones(2)}, "more": Runs(function, str(tmp_path / "made"))}, tmp_path / "a.pth")
    with pytest.raises(UnpicklingError):
        load_pickle(tmp_path / "a.pth", mmap=False)
    assert not (tmp_path / "made").exists()
