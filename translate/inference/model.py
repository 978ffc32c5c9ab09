"""A loaded model: a network that translates pictures in memory."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from PIL.Image import Image as PILImage
from torch import Tensor

from datasets.codecs.images import Picture
from models.apply import translate_batch
from models.contract import Domain, Translator
from translate.files import file_digest
from translate.hardware import Numerics, choose_device, choose_numerics, memory_ran_out
from translate.inference.conversion import restore_kind, to_input, to_output, to_picture
from translate.inference.model_file import Card, ModelError, load_network, model_path
from translate.inference.precision import choose_inference
from translate.inference.tiles import SMALLEST
from translate.inference.tiling import Norms, Tile, tile_problem, tile_side, translate_tiled

P = TypeVar("P", Picture, PILImage, NDArray[Any])


@dataclass(frozen=True)
class Model:
    """A translator ready to use, with its card. Call it with a picture to get one of the same kind."""

    translator: Translator
    card: Card
    digest: str
    device: torch.device
    numerics: Numerics

    def __call__(self, picture: P, to: str | None = None) -> P:
        """Translate one picture as `translate run` does: same size, depth, gray or colour, and alpha.

        `to` names what to aim for, of a model that has several domains.

        Takes and gives a `datasets.codecs.images.Picture`, a PIL image (8 bit, of any mode), or an array of
        (H, W) or (H, W, 1 to 4) uint8 or uint16, RGB and alpha.

        Raises:
            UserError: It is none of these, or the model works on another size alone.
        """
        given = to_picture(picture)
        output = self.run(to_input(given, self.translator)[None], self.translator.resolve_domain(to))[0]
        made: P = restore_kind(to_output(output, given, self.translator), picture)
        return made

    def run(
        self,
        images: Tensor,
        domain: Domain = 0,
        precision: str | None = None,
        tile: Tile = "auto",
        norms: Norms = "exact",
    ) -> Tensor:
        """Pictures of one size, (B, C, H, W) in [-1, 1], to (B, C', s * H, s * W) float32 on the host.

        Large ones are cut into tiles where the network can be, and so is one for which memory runs out.
        """
        numerics = self.numerics if precision is None else replace(self.numerics, precision=precision)

        def whole(images: Tensor) -> Tensor:
            placed = numerics.place(images, self.device)
            with numerics.autocast(self.device):
                return translate_batch(self.translator, placed, domain).float().cpu()

        height, width = images.shape[-2:]
        side = tile_side(self.translator, height, width, tile, norms)
        if side is None:
            try:
                return whole(images)
            except (RuntimeError, MemoryError) as error:
                side = max(height, width) // 2
                fewer = tile == "auto" and len(images) == 1 and tile_problem(self.translator) is None
                if not memory_ran_out(error) or not fewer or side < SMALLEST:
                    raise
        tiled = [translate_tiled(whole, self.translator, image, side, norms) for image in images]
        return tiled[0][None] if len(tiled) == 1 else torch.stack(tiled)


def load_model(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | str = "auto",
    blend: float | None = None,
) -> Model:
    """Rebuild the translator of a model file, a run folder, or a model that ships.

    `blend` is the share of the second stage in the weights of a model that was trained in two (`Translator.blend_stages`).

    Raises:
        ModelError: It is missing, damaged, or was not written by this program.
        UserError: There is no such device, or there is nothing to blend.
    """
    path = model_path(model)
    network, card = load_network(path)
    if not isinstance(network, Translator):
        raise ModelError(f"{path}: makes pictures from noise and translates none; use `translate sample`")
    digest = file_digest(path)
    if blend is not None:
        network.blend_stages(blend)
        digest = f"{digest}-blend-{blend:g}"  # other weights make other pictures
    chosen = choose_device(device)
    numerics = choose_numerics(chosen, training=False, precision=precision, threads=threads)
    network = numerics.settle(network, chosen).eval().requires_grad_(False)
    if precision == "auto":
        numerics = choose_inference(network, digest, numerics, chosen)
        network = numerics.settle(network, chosen)
    return Model(network, card, digest, chosen, numerics)
