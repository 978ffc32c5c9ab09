"""The search for a picture's latent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from translate.sampling.arithmetic import plan_arithmetic
from translate.sampling.latent_search import project
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampler import LoadedSampler


def test_projection_finds_what_the_model_itself_has_made(
    gan: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, make: Any, files: Any
) -> None:
    loaded = gan()
    sample(loaded, tmp_path / "made", 2, seed=11)
    text = f"{tmp_path / 'made' / '000000.png'} - {tmp_path / 'made' / '000001.png'}"
    outcomes = make(loaded, plan_arithmetic(loaded, tmp_path / "out", text, 0, SampleOptions()))
    deviations = [float(note.split("reproduces it to ")[1].split(" ")[0]) for note in outcomes["strip.png"].notes]
    assert max(deviations) < 3
    first = files(tmp_path / "out")
    make(loaded, plan_arithmetic(loaded, tmp_path / "again", text, 0, SampleOptions()))
    assert files(tmp_path / "again") == first


def test_projection_stays_in_the_box_of_a_uniform_prior(flat: Callable[..., LoadedSampler]) -> None:
    model = flat(prior="uniform").sampler
    image = torch.tensor([0.9, 0.05, -0.9]).view(1, 3, 1, 1).expand(-1, -1, 4, 4)
    found = project(model, image, 0, torch.zeros(2, 3))
    assert torch.allclose(found, torch.tensor([[1.0, 0.4, -1.0]]), atol=1e-2)
