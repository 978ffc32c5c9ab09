"""Latents: functions of seed, class and index, of the prior, on the sphere and on a grid."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial import geometric_slerp

from datasets.errors import UserError
from translate.sampling import latents
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampler import LoadedSampler
from translate.sampling.samples import plan_interpolation


def test_a_latent_is_a_function_of_seed_class_and_index(flat: Callable[..., LoadedSampler]) -> None:
    model = flat(latent=100).sampler
    here = latents.sample_latent(model, 1, 2, 3)
    torch.manual_seed(99)
    assert torch.equal(here, latents.sample_latent(model, 1, 2, 3))
    for other in ((0, 2, 3), (1, 0, 3), (1, 2, 0), (2, 1, 3), (3, 2, 1)):
        assert abs(float(torch.corrcoef(torch.stack([here, latents.sample_latent(model, *other)]))[0, 1])) < 0.4


def test_latents_are_of_the_prior(flat: Callable[..., LoadedSampler]) -> None:
    for prior, law in (("normal", stats.norm()), ("uniform", stats.uniform(-1, 2))):
        model = flat(latent=100, prior=prior).sampler
        numbers = torch.cat([latents.sample_latent(model, 0, 0, index) for index in range(50)])
        assert stats.kstest(numbers, law.cdf).pvalue > 1e-3


def test_truncation_draws_again_what_is_beyond_and_keeps_the_rest(flat: Callable[..., LoadedSampler]) -> None:
    model = flat(latent=200).sampler
    numbers = torch.stack([latents.sample_latent(model, 0, 0, index) for index in range(50)])
    cut = torch.stack([latents.sample_latent(model, 0, 0, index, 0.7) for index in range(50)])
    within = numbers.abs() <= 0.7
    assert torch.equal(cut[within], numbers[within])
    assert 0.4 < within.float().mean() < 0.6
    assert cut.abs().max() <= 0.7
    assert stats.kstest(cut.flatten(), stats.truncnorm(-0.7, 0.7).cdf).pvalue > 1e-3
    assert latents.sample_latent(model, 0, 0, 0, latents.SMALLEST_TRUNCATION).abs().max() <= latents.SMALLEST_TRUNCATION


def test_between_two_latents_goes_along_the_sphere() -> None:
    start, end = torch.randn(2, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start, end = start / start.norm(), end / end.norm()
    fractions = np.linspace(0, 1, 7)
    expected = geometric_slerp(start.numpy(), end.numpy(), fractions)
    for share, there in zip(fractions, expected, strict=True):
        assert np.allclose(latents.slerp(start, end, float(share)).numpy(), there, atol=1e-12)
    # Of any lengths the ends are met, and halfway is no shorter than what normal numbers are.
    assert torch.allclose(latents.slerp(3 * start, 5 * end, 1.0), 5 * end)
    assert float(latents.slerp(4 * start, 4 * end, 0.5).norm()) == pytest.approx(4)
    assert torch.allclose(latents.slerp(start, -start, 0.25), 0.5 * start)
    assert torch.allclose(latents.slerp(start, 2 * start, 0.5), 1.5 * start)


def test_a_way_counts_both_ends_and_each_station_once(flat: Callable[..., LoadedSampler]) -> None:
    keyframes = [torch.eye(3)[index] for index in (0, 1, 2)]
    round_way = latents.interpolate(flat().sampler, keyframes, 5)
    straight = latents.interpolate(flat(prior="uniform").sampler, keyframes, 5)
    assert len(round_way) == len(straight) == 9
    for number, station in zip((0, 4, 8), keyframes, strict=True):
        assert torch.equal(round_way[number], station)
        assert torch.equal(straight[number], station)
    assert torch.allclose(round_way[2], torch.tensor([math.sqrt(0.5), math.sqrt(0.5), 0.0]))
    assert torch.allclose(straight[2], torch.tensor([0.5, 0.5, 0.0]))
    assert len(latents.interpolate(flat().sampler, keyframes, 2)) == 3


def test_a_plane_cuts_the_prior_into_cells_of_one_weight(flat: Callable[..., LoadedSampler]) -> None:
    grid = latents.latent_grid(flat(latent=4).sampler, (1, 3), 5).view(5, 5, 4)
    values = torch.from_numpy(stats.norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9])).float()
    assert torch.allclose(grid[:, :, 1], values.expand(5, 5), atol=1e-6)  # to the right
    assert torch.allclose(grid[:, :, 3], values.flip(0)[:, None].expand(5, 5), atol=1e-6)  # upward
    assert not grid[:, :, [0, 2]].any()
    uniform = latents.latent_grid(flat(prior="uniform", latent=2).sampler, (0, 1), 4)
    assert torch.allclose(uniform[:4, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))


def test_uniform_latents_are_not_truncated(flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any) -> None:
    with pytest.raises(UserError, match="`truncation`: is for normal latents, and this model's are uniform"):
        sample(flat(prior="uniform"), tmp_path, truncation=0.5)
    with pytest.raises(UserError, match="`truncation`: is for normal latents"):
        plan_interpolation(flat(prior="uniform"), tmp_path, [0, 1], 3, SampleOptions(truncation=0.5))
    with pytest.raises(UserError, match="`truncation`: is for normal latents"):
        flat(prior="uniform")(1, truncation=0.5)
    with pytest.raises(UserError, match=r"`truncation` 0\.001: expected 0\.01 or more"):
        flat()(1, truncation=0.001)
