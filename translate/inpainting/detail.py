"""Detail for a smooth fill, copied from the known surroundings of its hole.

A network that is trained with the absolute error, and the classical methods too, continue colours and large shapes and
leave out texture. Here every patch that touches the hole gets the known patch most like it, from a coarse scale to the
full one, and overlapping patches vote on each pixel: Wexler, Shechtman, Irani 2007, doi:10.1109/TPAMI.2007.60. The
smooth fill says what to look for, in the place of the features of contextual attention (Yu, Lin, Yang, Shen, Lu, Huang
2018, arXiv:1801.07892).

Differs from the papers:
- The search at coarse scales is exact, a product of matrices. A finer scale looks at what the matches around a patch at
  the coarser scale mean there. Nothing is drawn at random: the same picture gives the same fill.
- Known pixels of a patch count most: what a smooth fill lacks must not make smooth patches the most similar ones.
- Shapes and colours remain those of the smooth fill, to which the fine part of the copy is added.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Chosen on 16 holes in photographs that none of the figures in the model's card are measured on.
PATCH = 7  # pixels on a side, as in Wexler et al.
RADIUS = PATCH // 2
FILLED_WEIGHT = 0.05  # of a pixel of the hole beside a known one, where patches are compared
NARROW = 10  # pixels; the hole is at most so wide at the coarsest scale
PASSES = 2  # of search and vote at a scale that is searched exactly
STRIDE = 2  # pixels between the patches of the hole at the full scale
VOTE_SIGMA = 0.7  # pixels; at the full scale the middle of a patch counts most, so that votes do not blur
LAYOUT_SIGMA = 2.0  # pixels of a coarsest scale; what is coarser than that stays the smooth fill's
FINE_SIGMA = 2.0  # pixels; what is finer than that is taken from the copy

PAIRS = 15 * 10**6  # of patches that are compared at a scale, 6 GFLOP
SOURCES = 30_000  # patches that are looked through at a scale, 25 MB
CHUNK = 4 * 10**6  # numbers that are held at once beside these, 16 MB


def add_detail(image: Tensor, hole: Tensor, unknown: Tensor) -> Tensor:
    """Return a picture, (C, H, W) in [-1, 1], whose smooth fill has got the fine detail of what is known around it.

    If no patch of 7 pixels on a side is known, it is returned as it is. Outside of the hole nothing changes.

    Args:
        image: (C, H, W), with a smooth fill in the hole.
        hole: (H, W) of bool, with at least a pixel: what gets detail.
        unknown: (H, W) of bool, what is not copied from; it includes the hole.
    """
    with torch.inference_mode():
        copied = copy_patches(image, hole, unknown)
        if copied is None:
            return image
        return torch.where(hole, image + copied - _blur(copied, FINE_SIGMA), image).clamp(-1, 1)


@dataclass(frozen=True, eq=False)
class _Scale:
    """A picture at a scale.

    Attributes:
        image: (C, h, w), with the smooth fill in the hole.
        hole: (h, w) of bool.
        targets: Flat indices of the centres of patches that touch the hole.
        sources: Those of the centres of patches that are known and whole.
    """

    image: Tensor
    hole: Tensor
    targets: Tensor
    sources: Tensor

    @property
    def pairs(self) -> int:
        """How many pairs of patches there are."""
        return len(self.targets) * len(self.sources)


@dataclass(frozen=True, eq=False)
class _Matches:
    """For each target of a scale the source most like it, a flat index, and their mean squared difference."""

    sources: Tensor
    distances: Tensor


def copy_patches(image: Tensor, hole: Tensor, unknown: Tensor) -> Tensor | None:
    """Return (C, H, W) with its hole filled by known patches; None if there are none. See `add_detail`."""
    scales = _build_scales(image, hole, unknown)
    if not len(scales[0].sources):
        return None
    *finer, coarsest = scales
    filled = coarsest.image
    for _ in range(PASSES):
        matches = _search(coarsest, filled)
        filled = _keep_layout(coarsest, _vote(coarsest, matches))
    coarser = coarsest
    for scale in reversed(finer):
        candidates = _find_candidates(coarser, scale, matches)
        filled = _vote(scale, _Matches(candidates[:, 0], torch.zeros(len(candidates))))
        if scale.pairs > PAIRS:
            matches = _choose(scale, filled, candidates)
        else:
            for _ in range(PASSES):
                matches = _search(scale, filled)
                filled = _vote(scale, matches)
        coarser = scale
    return _vote(scales[0], matches, VOTE_SIGMA)


def _build_scales(image: Tensor, hole: Tensor, unknown: Tensor) -> list[_Scale]:
    """Return the scales of a picture, the full one first, each half of the one before.

    The coarsest must show at least half as much of what can be copied as the full one: around many thin holes no large
    patch is known.
    """
    widest = 2 * float(cv2.distanceTransform(np.pad(hole.numpy(), 1).astype(np.uint8), cv2.DIST_L2, 3).max())
    scales = [_build_scale(image, hole, unknown, STRIDE)]
    while min(hole.shape) >= 4 * PATCH and (scales[-1].pairs > PAIRS or widest > NARROW):
        image, hole, unknown, widest = _halve(image), _halve_mask(hole), _halve_mask(unknown), widest / 2
        scale = _build_scale(image, hole, unknown, 1)
        if 2 * 4 ** len(scales) * len(scale.sources) < len(scales[0].sources):
            break
        scales.append(scale)
    return scales


def _build_scale(image: Tensor, hole: Tensor, unknown: Tensor, stride: int) -> _Scale:
    height, width = hole.shape
    whole = torch.zeros(height, width, dtype=torch.bool)
    whole[RADIUS : height - RADIUS, RADIUS : width - RADIUS] = True
    chosen = torch.zeros(height, width, dtype=torch.bool)
    chosen[::stride, ::stride] = True
    targets, sources = _dilate(hole) & chosen, whole & ~_dilate(unknown)
    return _Scale(image, hole, targets.flatten().nonzero()[:, 0], sources.flatten().nonzero()[:, 0])


def _dilate(mask: Tensor) -> Tensor:
    return F.max_pool2d(mask[None].float(), PATCH, 1, RADIUS)[0] > 0


def _halve(image: Tensor) -> Tensor:
    odd = (0, image.shape[2] % 2, 0, image.shape[1] % 2)
    return F.avg_pool2d(F.pad(image[None], odd, mode="replicate"), 2)[0]


def _halve_mask(mask: Tensor) -> Tensor:
    return F.max_pool2d(mask[None].float(), 2, ceil_mode=True)[0] > 0


def _blur(image: Tensor, sigma: float) -> Tensor:
    return torch.stack([torch.from_numpy(cv2.GaussianBlur(plane.numpy(), (0, 0), sigma)) for plane in image])


def _keep_layout(scale: _Scale, voted: Tensor) -> Tensor:
    """Return what was voted, with the large shapes and colours of the smooth fill."""
    return torch.where(scale.hole, voted + _blur(scale.image - voted, LAYOUT_SIGMA), scale.image)


def _cut(image: Tensor, centres: Tensor) -> Tensor:
    """Return the patches (N, PATCH ** 2, C) around centres; beyond its border, the picture is mirrored."""
    width = image.shape[2]
    padded = F.pad(image[None], (RADIUS, RADIUS, RADIUS, RADIUS), mode="reflect")[0]
    across = width + 2 * RADIUS
    corners = centres // width * across + centres % width
    steps = (torch.arange(PATCH)[:, None] * across + torch.arange(PATCH)).flatten()
    return padded.flatten(1).T[corners[:, None] + steps]


def _cut_targets(scale: _Scale, filled: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return patches of the hole (N, PATCH ** 2, C) and the their weights (N, PATCH ** 2, 1), which sum to 1."""
    weights = 1 - (1 - FILLED_WEIGHT) * _cut(scale.hole[None].float(), centres)
    return _cut(filled, centres), weights / weights.sum(1, keepdim=True)


def _search(scale: _Scale, filled: Tensor) -> _Matches:
    """Return the matches among all sources, or where these are too many, evenly chosen ones.

    The distance of a target t and a source s, with weights w, is the sum of w t² - 2 w t s + w s²: the last two terms
    are a product of matrices.
    """
    step = max(-(-scale.pairs // PAIRS), -(-len(scale.sources) // SOURCES))
    sources = scale.sources[::step]
    patches = _cut(scale.image, sources)
    columns = torch.cat([patches.flatten(1), patches.square().sum(2)], 1).T.contiguous()
    found, distances = [], []
    for centres in torch.split(scale.targets, max(1, CHUNK // len(sources))):
        targets, weights = _cut_targets(scale, filled, centres)
        rows = torch.cat([(-2 * weights * targets).flatten(1), weights.flatten(1)], 1)
        least, index = (rows @ columns).min(1)
        found.append(sources[index])
        distances.append((least + (weights * targets.square()).sum((1, 2))).clamp(min=0))
    return _Matches(torch.cat(found), torch.cat(distances))


def _find_candidates(coarser: _Scale, scale: _Scale, matches: _Matches) -> Tensor:
    """Return sources (N, 9) for each target: what the matches around it at the coarser scale mean at this one.

    The first is that of its own place. Where one of the others is not known, the first stands again.
    """
    (height, width), (rows, columns) = scale.hole.shape, coarser.hole.shape
    moves = torch.zeros(2, rows * columns, dtype=torch.long)
    moves[0, coarser.targets] = matches.sources // columns - coarser.targets // columns
    moves[1, coarser.targets] = matches.sources % columns - coarser.targets % columns
    is_target, is_source = (torch.zeros(length, dtype=torch.bool) for length in (rows * columns, height * width))
    is_target[coarser.targets], is_source[scale.sources] = True, True
    y, x = scale.targets // width, scale.targets % width
    own = y // 2 * columns + x // 2
    found: list[Tensor] = []
    for dy, dx in sorted(_steps(1), key=lambda step: step != (0, 0)):
        near = (y // 2 + dy).clamp(0, rows - 1) * columns + (x // 2 + dx).clamp(0, columns - 1)
        down, across = moves[:, torch.where(is_target[near], near, own)]
        row, column = (
            (y + 2 * down).clamp(RADIUS, height - 1 - RADIUS),
            (x + 2 * across).clamp(RADIUS, width - 1 - RADIUS),
        )
        source = row * width + column
        found.append(torch.where(is_source[source], source, found[0]) if found else source)
    return torch.stack(found, 1)


def _steps(radius: int) -> Iterator[tuple[int, int]]:
    """Yield the steps down and across from the middle of a square to each of its pixels."""
    return ((dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1))


def _choose(scale: _Scale, filled: Tensor, candidates: Tensor) -> _Matches:
    """Return the matches among the candidates (N, K) of each target."""
    found, distances = [], []
    size = max(1, CHUNK // (PATCH**2 * len(filled) * candidates.shape[1]))
    for centres, several in zip(torch.split(scale.targets, size), torch.split(candidates, size), strict=True):
        targets, weights = _cut_targets(scale, filled, centres)
        patches = _cut(scale.image, several.flatten()).view(*several.shape, PATCH**2, len(filled))
        least, index = ((patches - targets[:, None]).square() * weights[:, None]).sum((2, 3)).min(1)
        found.append(several.gather(1, index[:, None])[:, 0])
        distances.append(least)
    return _Matches(torch.cat(found), torch.cat(distances))


def _vote(scale: _Scale, matches: _Matches, sigma: float | None = None) -> Tensor:
    """Return (C, h, w) with each pixel of the hole the weighted mean of what the patches over it have there.

    A patch weighs exp(-d / 2 q) with its distance d and the third quartile q of all, as in Wexler et al., section 3.2.
    `sigma` is the width of a Gaussian over the patch; None: all of its pixels weigh the same.
    """
    (height, width), known = scale.hole.shape, scale.image.flatten(1)
    moves, weights = torch.zeros(height * width, dtype=torch.long), torch.zeros(height * width)
    quartile = matches.distances.kthvalue(-(-3 * len(matches.distances) // 4)).values
    moves[scale.targets] = matches.sources - scale.targets
    weights[scale.targets] = torch.exp(-matches.distances / (2 * quartile).clamp(min=1e-8))
    inside = scale.hole.flatten().nonzero()[:, 0]
    y, x = inside // width, inside % width
    total, sum_of_weights = torch.zeros(len(known), len(inside)), torch.zeros(len(inside))
    for dy, dx in _steps(RADIUS):
        valid = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        centres = torch.where(valid, inside + dy * width + dx, inside)
        by_place = 1.0 if sigma is None else float(np.exp(-(dy * dy + dx * dx) / (2 * sigma**2)))
        weight = torch.where(valid, weights[centres], 0) * by_place
        total += known[:, inside + moves[centres]] * weight
        sum_of_weights += weight
    voted = known.clone()
    voted[:, inside] = torch.where(sum_of_weights > 0, total / sum_of_weights, known[:, inside])
    return voted.view(scale.image.shape)
