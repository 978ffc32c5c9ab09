"""Metrics of an output and its reference, one value a picture: L1, PSNR, SSIM, MS-SSIM, LPIPS, and those of holes.

L1, PSNR and SSIM are those of `models.metrics`, as in training. MS-SSIM (Wang, Simoncelli, Bovik 2003) is that of
torchmetrics, and LPIPS (Zhang et al. 2018, arXiv:1801.03924) that of the package `lpips`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from datasets.devices import move
from datasets.errors import UserError
from models.metrics import detail_ratio, direction, hole_metrics, l1, luma, psnr, ssim
from translate.evaluation.metrics.extras import import_extra
from translate.evaluation.metrics.report import Protocol

SIDES = ("output", "reference")
NAMES = ("l1", "psnr", "ssim", "ms-ssim", "lpips")
# MS-SSIM halves a picture four times, and its window of 11 pixels has to fit into the last one: torchmetrics asks for
# more than 10 pixels after a division by 16.
SMALLEST_MS_SSIM = 176
BATCH_PIXELS = 2**20  # measured at once; chosen by hand, it bounds the memory for SSIM's maps

SSIM_WINDOW = "Gaussian window of 11 pixels, deviation 1.5, K 0.01 and 0.03, mean of channels"
SSIM = f"{SSIM_WINDOW}, valid area"
COLOUR_RGB = "RGB, gray repeated"
COLOUR_Y = "Y of BT.601, 16 to 235, not rounded"


class PicturePair(NamedTuple):
    """An output and its reference, (3, H, W) uint8, and perhaps the mask (H, W) of its hole, True within."""

    name: str
    output: Tensor
    reference: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class PairMetrics:
    """Which metrics are measured, and how.

    Attributes:
        names: Of `NAMES`.
        crop: Pixels that are cut off at each border before anything but the metrics of holes is measured.
        device: Where it is computed.
        lpips: The network of LPIPS, from images (B, 3, H, W) in [-1, 1] to (B,), and its protocol; None: without.
    """

    names: Sequence[str]
    crop: int
    device: torch.device
    lpips: tuple[Callable[[Tensor, Tensor], Tensor], Protocol] | None = None

    def measure(self, pairs: Iterable[PicturePair]) -> Iterator[tuple[str, dict[str, float]]]:
        """Yield the name of each pair and its metrics."""
        for batch in batch_pairs(pairs):
            output, reference = (self._to_images([getattr(pair, side) for pair in batch]) for side in SIDES)
            metrics = self._measure_whole(output, reference)
            masks = [pair.mask for pair in batch if pair.mask is not None]
            if len(masks) == len(batch):
                mask = move(torch.stack(masks)[:, None], self.device)
                metrics |= measure_holes(output, reference, mask, self.names)
            for index, pair in enumerate(batch):
                yield pair.name, {name: float(values[index]) for name, values in metrics.items()}

    def describe(self) -> dict[str, Protocol]:
        """Return the protocol of every metric, without what the pictures add to it."""
        base: Protocol = {"depth": 8, "crop": self.crop}
        rgb, y = {**base, "color": COLOUR_RGB}, {**base, "color": COLOUR_Y}
        hole: Protocol = {"depth": 8, "crop": 0, "color": COLOUR_RGB}
        formula = "10 log10(255² / mean squared error), at most 100"
        known: dict[str, Protocol] = {"l1": {**rgb, "formula": "mean absolute difference, of 1"}}
        for suffix, color in (("rgb", rgb), ("y", y)):
            known[f"psnr_{suffix}"] = {**color, "formula": formula}
            known[f"ssim_{suffix}"] = {**color, "formula": SSIM}
            known[f"ms_ssim_{suffix}"] = {**color, "formula": f"5 scales, torchmetrics; {SSIM}"}
        for place in ("hole", "outside"):
            known[f"l1_{place}"] = {**hole, "formula": "mean absolute difference, of 1"}
            known[f"psnr_{place}"] = {**hole, "formula": formula}
            known[f"ssim_{place}"] = {**hole, "formula": f"{SSIM_WINDOW}; the whole picture reflected at its border"}
        known["detail_ratio"] = {**hole, "formula": "mean gradient magnitude in the hole over the reference's"}
        if self.lpips is not None:
            known["lpips"] = {**rgb, **self.lpips[1]}
        return known

    def _to_images(self, pictures: Sequence[Tensor]) -> Tensor:
        """Return (3, H, W) uint8 pictures as (B, 3, H, W) float32 in [-1, 1]."""
        return move(torch.stack(list(pictures)), self.device).float() / 127.5 - 1

    def _measure_whole(self, output: Tensor, reference: Tensor) -> dict[str, Tensor]:
        height, width = output.shape[-2:]
        if min(height, width) <= 2 * self.crop:
            raise UserError(
                f"`crop` {self.crop} leaves nothing of a picture of {width}x{height} pixels; set a smaller one"
            )
        inside = (..., slice(self.crop, height - self.crop), slice(self.crop, width - self.crop))
        output, reference = output[inside], reference[inside]
        metrics = {"l1": l1(output, reference)} if "l1" in self.names else {}
        for suffix, one, other in (("rgb", output, reference), ("y", luma(output), luma(reference))):
            for name, function in (("psnr", psnr), ("ssim", ssim), ("ms-ssim", ms_ssim)):
                fits = name != "ms-ssim" or min(one.shape[-2:]) >= SMALLEST_MS_SSIM
                if name in self.names and fits:
                    metrics[f"{name.replace('-', '_')}_{suffix}"] = function(one, other)
        if self.lpips is not None:
            metrics["lpips"] = self.lpips[0](output, reference)
        return metrics


def measure_holes(output: Tensor, reference: Tensor, mask: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Return metrics inside and outside the holes of (B, 3, H, W) images in [-1, 1], (B,) each; mask (B, 1, H, W)."""
    metrics = hole_metrics(output, reference, mask)
    outside = hole_metrics(output, reference, ~mask.bool())
    metrics |= {name.replace("hole", "outside"): values for name, values in outside.items()}
    chosen = {name: values for name, values in metrics.items() if name.split("_")[0] in names}
    return {**chosen, "detail_ratio": detail_ratio(output, reference, mask)}


def ms_ssim(output: Tensor, target: Tensor) -> Tensor:
    """Return the multi-scale structural similarity of (B, C, H, W) images in [-1, 1], at least 176 pixels: (B,)."""
    multiscale = import_extra("torchmetrics.functional.image").multiscale_structural_similarity_index_measure
    values = [
        multiscale((one[None] + 1) / 2, (other[None] + 1) / 2, data_range=1.0, reduction="none").reshape(1)
        for one, other in zip(output, target, strict=True)
    ]
    return torch.cat(values)


def better(name: str) -> str:
    """Return "higher" or "lower", whichever is better for a metric; empty: 1 is, as for the detail ratio."""
    if name == "detail_ratio":
        return ""
    return "higher" if name.startswith("ms_ssim") else direction(name)


def batch_pairs(pairs: Iterable[PicturePair]) -> Iterator[list[PicturePair]]:
    """Yield neighbouring pairs of one size together, as many as `BATCH_PIXELS` allow."""
    batch: list[PicturePair] = []
    for pair in pairs:
        alike = batch and pair.output.shape == batch[0].output.shape
        if batch and not (alike and (len(batch) + 1) * pair.output[0].numel() <= BATCH_PIXELS):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch
