"""Paths between noise and pictures: how they are mixed at a time, what a network learns there, and the way back.

Two paths. The *diffusion* of Ho, Jain, Abbeel 2020, arXiv:2006.11239, in T steps (their equations are cited by number),
whose way back is DDIM: Song, Meng, Ermon 2021, arXiv:2010.02502. The *straight* path of flow matching: Lipman et al.
2023, arXiv:2210.02747, with its smallest deviation 0, on which the way back is an ordinary differential equation.

A network is called with mixtures (B, C, H, W) and times (B,) in [0, 1); a path says what its output means. Noise is
standard normal. What a network that predicts the noise has learned is the score of the mixtures' density,
∇ log p(x_t) = -E[ε | x_t] / √(1 - ᾱ_t): denoising score matching (Vincent 2011, Song, Ermon 2019, arXiv:1907.05600).
"""

import itertools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

Predicts = Literal["noise", "image", "velocity"]
Schedule = Literal["linear", "cosine"]
Solver = Literal["euler", "heun"]
Network = Callable[[Tensor, Tensor], Tensor]  # from mixtures (B, C, H, W) and times (B,) to (B, C, H, W)

LEVELS = 256  # of an 8-bit picture
LEAST_PROBABILITY = 1e-12  # of a level: keeps logarithms finite


class Mixture(NamedTuple):
    """What a network sees at a time, and what it should answer; (B, C, H, W) each."""

    noisy: Tensor
    target: Tensor


class DiffusionPath(nn.Module):
    """x_t = √ᾱ_t x_0 + √(1 - ᾱ_t) ε for the steps t = 1 … T: equation 4.

    Time t is told to the network as (t - 1) / T.

    Args:
        steps: T.
        schedule: How ᾱ falls from 1 to nearly 0: linear, as in the paper, whose variances β of a step grow from 1e-4 to
            0.02 for T = 1000; or cosine (Nichol, Dhariwal 2021, arXiv:2102.09672), which keeps more of small images.
        predicts: What the network answers: the noise ε as in the paper, the image x_0, or the velocity
            √ᾱ ε - √(1 - ᾱ) x_0 (Salimans, Ho 2022, arXiv:2202.00512).
    """

    kept: Tensor

    def __init__(self, steps: int, schedule: Schedule, predicts: Predicts) -> None:
        super().__init__()
        self.steps, self.predicts = steps, predicts
        self.register_buffer("kept", compute_kept(schedule, steps).float(), persistent=False)  # ᾱ_t for t = 0 … T

    def draw_times(self, count: int, device: torch.device) -> Tensor:
        """Draw times (count,), stratified: one in each `count`-th part of all steps, so that losses vary less."""
        places = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
        return (places * self.steps).floor().clamp(max=self.steps - 1)[
            torch.randperm(count, device=device)
        ] / self.steps

    def mix(self, image: Tensor, noise: Tensor, time: Tensor) -> Mixture:
        """Mix images with noise at times (B,)."""
        signal, spread = self.scales(self.step_of(time))
        targets = {"noise": noise, "image": image, "velocity": signal * noise - spread * image}
        return Mixture(signal * image + spread * noise, targets[self.predicts])

    def estimate_image(self, noisy: Tensor, output: Tensor, time: Tensor) -> Tensor:
        """Return the image x_0 that the network's output stands for."""
        signal, spread = self.scales(self.step_of(time))
        if self.predicts == "noise":
            return (noisy - spread * output) / signal
        return output if self.predicts == "image" else signal * noisy - spread * output

    def solve(self, network: Network, noise: Tensor, steps: int, *, bounded: bool) -> Tensor:
        """Return the images that noise (B, C, H, W) belongs to, by DDIM in `steps` evaluations of the network.

        `bounded`: every estimate of the image is limited to [-1, 1].
        """
        noisy = noise
        places = torch.linspace(self.steps, 0, min(steps, self.steps) + 1).round().long().tolist()
        for step, following in itertools.pairwise(places):
            at = torch.full((len(noisy),), step, device=noisy.device)
            time = self.time_of(at)
            image = self.estimate_image(noisy, network(noisy, time).float(), time)
            noisy = self.move(noisy, image.clamp(-1, 1) if bounded else image, at, torch.full_like(at, following))
        return noisy

    def move(self, noisy: Tensor, image: Tensor, step: Tensor, following: Tensor, eta: float = 0.0) -> Tensor:
        """Return x of the earlier step `following` for x of `step` and an estimate of the image: DDIM, equation 12.

        `eta` 0 draws nothing; 1 is the ancestral sampling of Ho et al.
        """
        signal, spread = self.scales(step)
        next_signal, next_spread = self.scales(following)
        noise = (noisy - signal * image) / spread
        deviation = eta * next_spread / spread * (1 - (signal / next_signal).square()).sqrt()
        certain = (next_spread.square() - deviation.square()).clamp(min=0).sqrt()
        moved = next_signal * image + certain * noise
        return moved + deviation * torch.randn_like(noisy) if eta else moved

    def posterior(self, image: Tensor, noisy: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of q(x_{t-1} | x_t, x_0): equations 6 and 7; the variance is (B, 1, 1, 1)."""
        kept, before = self.kept[step].view(-1, 1, 1, 1), self.kept[step - 1].view(-1, 1, 1, 1)
        alpha = kept / before
        mean = before.sqrt() * (1 - alpha) * image + alpha.sqrt() * (1 - before) * noisy
        return mean / (1 - kept), (1 - before) / (1 - kept) * (1 - alpha)

    def scales(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Return √ᾱ and √(1 - ᾱ) of steps (B,), (B, 1, 1, 1) each."""
        kept = self.kept[step].view(-1, 1, 1, 1)
        return kept.sqrt(), (1 - kept).sqrt()

    def step_of(self, time: Tensor) -> Tensor:
        """Return the steps 1 … T of times (B,), int64."""
        return (time * self.steps).round().long() + 1

    def time_of(self, step: Tensor) -> Tensor:
        """Return the times of steps (B,), float32."""
        return (step - 1) / self.steps

    def estimate_bits(self, network: Network, image: Tensor, draws: int, *, discrete: bool) -> Tensor:
        """Estimate the bound on -log₂ p(image) per number, (B,): equation 5, with the variances of equation 7.

        Of the T - 1 terms between the first and the last, `draws` are computed at stratified steps.

        Args:
            network: The network.
            image: Images (B, C, H, W).
            draws: Evaluations of the network, beside the one for the last term.
            discrete: The images have 256 levels in [-1, 1], and the last term is their probability (the paper's
                section 3.3); else its density.
        """
        dimensions = image[0].numel()
        kept = self.kept[-1]
        prior = 0.5 * (kept * image.square() - kept - torch.log(1 - kept)).flatten(1).sum(1)
        total = prior - self.decode(network, image, discrete=discrete)
        for index in range(draws):
            places = (index + torch.rand(len(image), device=image.device)) / draws
            step = 2 + (places * (self.steps - 1)).floor().long().clamp(max=self.steps - 2)
            noisy, estimate = self.denoise(network, image, step, bounded=discrete)
            wanted, variance = self.posterior(image, noisy, step)
            found, _ = self.posterior(estimate, noisy, step)
            divergence = ((wanted - found).square() / (2 * variance)).flatten(1).sum(1)
            total = total + (self.steps - 1) / draws * divergence
        return total / (dimensions * math.log(2))

    def decode(self, network: Network, image: Tensor, *, discrete: bool) -> Tensor:
        """Return log p(x_0 | x_1) in nats, (B,), with the variance β_1."""
        first = torch.ones(len(image), dtype=torch.int64, device=image.device)
        _, mean = self.denoise(network, image, first, bounded=discrete)
        deviation = (1 - self.kept[1]).sqrt()
        if not discrete:
            density = -0.5 * ((image - mean) / deviation).square() - deviation.log() - 0.5 * math.log(2 * math.pi)
            return density.flatten(1).sum(1)
        half = 1 / (LEVELS - 1)
        above = torch.where(image > 1 - half, 1.0, _normal_cdf((image + half - mean) / deviation))
        below = torch.where(image < half - 1, 0.0, _normal_cdf((image - half - mean) / deviation))
        return (above - below).clamp(min=LEAST_PROBABILITY).log().flatten(1).sum(1)

    def denoise(self, network: Network, image: Tensor, step: Tensor, *, bounded: bool) -> tuple[Tensor, Tensor]:
        """Return mixtures of the images with new noise at steps (B,), and the network's estimates of the images."""
        time = self.time_of(step)
        noisy = self.mix(image, torch.randn_like(image), time).noisy
        estimate = self.estimate_image(noisy, network(noisy, time).float(), time)
        return noisy, estimate.clamp(-1, 1) if bounded else estimate


class StraightPath(nn.Module):
    """x_t = (1 - t) ε + t x, from noise at t = 0 to the image at t = 1; the network answers dx/dt = x - ε.

    Args:
        solver: Of the differential equation: Euler's, or Heun's of second order, with two evaluations a step.
    """

    def __init__(self, solver: Solver) -> None:
        super().__init__()
        self.solver = solver

    def draw_times(self, count: int, device: torch.device) -> Tensor:
        """Draw times (count,), stratified."""
        return draw_stratified(count, device)

    def mix(self, image: Tensor, noise: Tensor, time: Tensor) -> Mixture:
        """Mix images with noise at times (B,)."""
        time = time.view(-1, 1, 1, 1)
        return Mixture((1 - time) * noise + time * image, image - noise)

    def solve(self, network: Network, noise: Tensor, steps: int, *, bounded: bool) -> Tensor:
        """Return the images that noise (B, C, H, W) flows to, in `steps` evaluations of the network.

        `bounded`: the images are limited to [-1, 1].
        """
        second_order = self.solver == "heun" and steps > 1
        count = steps // 2 if second_order else steps
        image = noise
        for index in range(count):
            time = torch.full((len(noise),), index / count, device=noise.device)
            velocity = network(image, time).float()
            if second_order:
                later = network(image + velocity / count, time + 1 / count).float()
                velocity = (velocity + later) / 2
            image = image + velocity / count
        return image.clamp(-1, 1) if bounded else image


Path = DiffusionPath | StraightPath


def draw_stratified(count: int, device: torch.device) -> Tensor:
    """Draw numbers (count,), one in each `count`-th part of [0, 1), in random order: their mean varies less."""
    places = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
    return places[torch.randperm(count, device=device)]


def compute_kept(schedule: Schedule, steps: int) -> Tensor:
    """Return ᾱ_t, the kept fraction of the image's variance, for t = 0 … steps, float64."""
    if schedule == "linear":
        # For other numbers of steps than 1000, variances that reach about the same ᾱ at the end.
        scale = 1000 / steps
        added = torch.linspace(1e-4 * scale, min(0.02 * scale, 0.999), steps, dtype=torch.float64)
    else:
        places = torch.arange(steps + 1, dtype=torch.float64) / steps
        wanted = torch.cos((places + 0.008) / 1.008 * math.pi / 2).square()  # 0.008: Nichol, Dhariwal, equation 17
        added = (1 - wanted[1:] / wanted[:-1]).clamp(max=0.999)
    return torch.cat([added.new_ones(1), (1 - added).cumprod(0)])


def _normal_cdf(values: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(values / math.sqrt(2)))
