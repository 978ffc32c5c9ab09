"""A loaded model: a network that translates pictures in memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, overload

import torch
from numpy.typing import NDArray
from PIL.Image import Image as PILImage
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import Domain, Translator
from translate.files import file_digest
from translate.hardware import Numerics, choose_device, memory_ran_out, resolve_numerics
from translate.inference.conversion import (
    check_input,
    check_tensor,
    restore_kind,
    scale_tensor,
    to_input,
    to_output,
    to_picture,
    work_dimensions,
)
from translate.inference.model_file import Card, ModelError, load_network, model_path
from translate.inference.monitor import Report
from translate.inference.precision import choose_inference, is_flat
from translate.inference.strength import blend_pictures, blend_tensors, check_strength
from translate.inference.tiles import SMALLEST_TILE
from translate.inference.tiling import Norms, Tile, check_tile, tile_problem, tile_side, translate_tiled

P = TypeVar("P", Picture, PILImage, NDArray[Any], Tensor)
F = TypeVar("F", bound=str | Path)


class CallOptions(TypedDict, total=False):
    """What a `Model` can be called with beside a picture; see there."""

    to: str | None
    work_size: int | None
    tile: Tile
    strength: float


@dataclass(frozen=True)
class Model:
    """A translator ready to use; call it with a picture to get one of the same kind.

    Attributes:
        translator: The network, on `device`.
        card: The description in its file.
        digest: Of the file, and of what was changed after reading it; manifests record it.
        device: Where it computes.
        numerics: Precision, memory layout and threads.
        choose: Returns the domain of a picture and, in a few words, why; None: the caller names it, if there are any.
    """

    translator: Translator
    card: Card
    digest: str
    device: torch.device
    numerics: Numerics
    choose: Callable[[Picture], tuple[int, str]] | None = None

    @overload
    def __call__(self, image: str | Path, **options: Unpack[CallOptions]) -> Picture: ...
    @overload
    def __call__(self, image: list[F], **options: Unpack[CallOptions]) -> list[Picture]: ...
    @overload
    def __call__(self, image: P, **options: Unpack[CallOptions]) -> P: ...
    @overload
    def __call__(self, image: list[P], **options: Unpack[CallOptions]) -> list[P]: ...
    def __call__(
        self,
        image: Any,
        *,
        to: str | None = None,
        work_size: int | None = None,
        tile: Tile = "auto",
        strength: float = 1.0,
    ) -> Any:
        """Translate a picture as `translate run` does, and return the same kind of object.

        Size (times `scale`), bit depth, gray or colour, and alpha stay as they are.

        Args:
            image: A PIL image (8 bit, any mode, or I;16), an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, a
                `Picture`, the path of a picture, which gives a `Picture`, or a float tensor (C, H, W) or (B, C, H, W)
                in [-1, 1] with the channels that the network takes. A list gives a list.
            to: The domain to translate to, of a model that has several.
            work_size: Scale the shorter side to this many pixels for the model, and the output back.
            tile: Pixels on a side of the tiles that the picture is cut into; "auto": only if it is large; "off": never.
            strength: How much of the output is mixed with how much of the picture, enlarged if the model enlarges: 1 is
                the output, 0 the picture.

        Raises:
            DomainError: The model has no such domain, or several and `to` is None.
            PictureError: A file cannot be read.
            UserError: The object is no picture, or the model cannot work on it.
        """
        if isinstance(image, list):
            return [self(one, to=to, work_size=work_size, tile=tile, strength=strength) for one in image]
        check_tile(self.translator, tile)
        check_strength(strength)
        domain = self.translator.resolve_domain(to)
        with self.numerics.active(self.device):
            if isinstance(image, Tensor):
                return self._translate_tensor(image, domain, work_size, tile, strength)
            picture = to_picture(image)
            domain = domain if self.choose is None else self.choose(picture)[0]
            background = self.card.composed_on
            batch = to_input(picture, self.translator, work_size, background)[None]
            output = self._translate(batch, domain, picture.depth, tile)[0]
            translated = to_output(output, picture, self.translator, work_size, background)
            return restore_kind(blend_pictures(picture, translated, strength), image)

    def run(
        self,
        images: Tensor,
        domain: Domain = 0,
        precision: str | None = None,
        tile: Tile = "auto",
        norms: Norms = "exact",
        report: Report = lambda tiles: None,
    ) -> Tensor:
        """Translate (B, C, H, W) in [-1, 1] to (B, C', scale * H, scale * W) float32 on the CPU.

        Large pictures are cut into tiles if the network allows it, and so is a single one for which memory runs out.
        `report` is called before the first tile and after each; it may raise, to end the work.
        Callers activate `numerics` first: some compute several batches at once, with a part of the threads each.

        Raises:
            RuntimeError, MemoryError: Memory does not suffice.
        """
        numerics = self.numerics if precision is None else replace(self.numerics, precision=precision)

        def run_whole(images: Tensor) -> Tensor:
            placed = numerics.place_batch(images, self.device)
            with numerics.autocast(self.device):
                return translate_batch(self.translator, placed, domain).float().cpu()

        height, width = images.shape[-2:]
        side = tile_side(self.translator, height, width, tile, norms)
        if side is None:
            try:
                return run_whole(images)
            except (RuntimeError, MemoryError) as error:
                side = max(height, width) // 2
                can_tile = tile == "auto" and len(images) == 1 and tile_problem(self.translator) is None
                if not memory_ran_out(error) or not can_tile or side < SMALLEST_TILE:
                    raise
        outputs = [translate_tiled(run_whole, self.translator, image, side, norms, report) for image in images]
        return outputs[0][None] if len(outputs) == 1 else torch.stack(outputs)

    def _translate(self, batch: Tensor, domain: Domain, depth: int, tile: Tile) -> Tensor:
        """Translate a batch, in float32 if a picture has 16 bits a sample or is nearly flat."""
        exact = depth == 16 or any(map(is_flat, batch))
        output = self.run(batch, domain, "fp32" if exact else None, tile)
        if not output.isfinite().all():
            output = self.run(batch, domain, "fp32", tile)
        if not output.isfinite().all():
            raise UserError("the model's output is not finite; was its training sound?")
        return output

    def _translate_tensor(
        self, image: Tensor, domain: Domain, work_size: int | None, tile: Tile, strength: float
    ) -> Tensor:
        batch = image[None] if image.ndim == 3 else image
        check_tensor(batch, self.translator)
        height, width = batch.shape[-2:]
        work = (width, height) if work_size is None else work_dimensions(width, height, work_size)
        check_input(self.translator, *work)
        images = scale_tensor(batch.detach().float().cpu(), *work)
        output = self._translate(images, domain, 8, tile)
        scale = self.translator.scale
        result = scale_tensor(output, scale * width, scale * height).to(image.device, image.dtype)
        result = blend_tensors(batch, result, strength)
        return result if image.ndim == 4 else result[0]


def load_model(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | str = "auto",
    blend: float | None = None,
    steps: int | None = None,
) -> Model:
    """Load a model that translates pictures.

    Args:
        model: A model file, a run folder (its last model), or the name of a model that ships.
        device: "auto", "cpu", "cuda", "cuda:1", "xpu" or "mps".
        precision: "fp32", "bf16", or "auto": the fastest that changes nothing visible, measured once and remembered.
        threads: Threads that compute on a CPU; "auto": as many as torch uses in this process.
        blend: Of a model that was trained in two stages, the fraction of the second in the weights, from 0 to 1.
        steps: Of a model that works in steps, such as a bridge, how many a picture takes; None: as it was trained for.

    Raises:
        ModelError: The file is missing, damaged, or was not written by this program.
        UserError: There is no such device or precision, nothing to blend, or no steps to choose.
    """
    path = model_path(model)
    network, card = load_network(path)
    if not isinstance(network, Translator):
        raise ModelError(f"{model}: makes pictures from noise and translates none; use `sample`")
    digest = file_digest(path)
    if blend is not None:
        network.blend_stages(blend)
        digest = f"{digest}-blend-{blend:g}"  # other weights make other pictures
    if steps is not None:
        network.set_steps(steps)
        digest = f"{digest}-steps-{steps}"
    chosen = choose_device(device)
    numerics = resolve_numerics(chosen, training=False, precision=precision, threads=threads)
    if numerics.precision not in network.precisions:
        raise UserError(f"`precision` {precision}: this model computes in {' and '.join(network.precisions)} only")
    if numerics.layout not in network.layouts:
        numerics = replace(numerics, layout=network.layouts[0])
    network = numerics.place_network(network, chosen).eval().requires_grad_(False)
    if precision == "auto":
        with numerics.active(chosen):
            numerics = choose_inference(network, digest, numerics, chosen)
        network = numerics.place_network(network, chosen)
    return Model(network, card, digest, chosen, numerics)
