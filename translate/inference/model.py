"""Model files: one `.safetensors` with the weights and everything needed to rebuild and use them."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from numpy.typing import NDArray
from PIL.Image import Image as PILImage
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from datasets.codecs.images import Picture
from datasets.contract import Settings
from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import Domain, Sampler, Translator
from models.srgan import SRGAN
from translate.experiment import Experiment
from translate.files import file_digest, replace_file
from translate.hardware import Numerics, choose_device, choose_numerics, memory_ran_out
from translate.inference.conversion import restore_kind, to_input, to_output, to_picture
from translate.inference.precision import choose_inference
from translate.inference.shipped import builtin_models
from translate.inference.tiles import SMALLEST
from translate.inference.tiling import Norms, Tile, tile_problem, tile_side, translate_tiled

P = TypeVar("P", Picture, PILImage, NDArray[Any])

METADATA_KEY = "translate"
FORMAT = 1


class ModelError(UserError):
    """A model file is missing, damaged, or not what was asked for."""

    exit_code: ClassVar[int] = 6


class Card(Settings):
    """What a model file says about itself; no path, person or host is in it."""

    format: int = FORMAT
    experiment: Experiment
    step: int
    domains: tuple[str, ...] = ()
    trained_size: int  # pixels on a side of the squares it learned from
    metrics: dict[str, float] = Field({})  # validation metrics at that step
    data_fingerprint: str = ""
    data_samples: int = 0
    licence: str = ""
    written_by: str = ""

    @property
    def scaled_to(self) -> int | None:
        """The shorter side, in pixels, that pictures were scaled to for it; None where it saw them as they were."""
        return self.experiment.data.scaled_to


@dataclass(frozen=True)
class LoadedModel:
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


def save_model(path: Path, model: nn.Module, card: Card) -> None:
    """Write a model file in one piece."""
    # Copies: shared or strided storage would be refused, and each name shall stand for itself.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    text = json.dumps(card.model_dump(mode="json"), sort_keys=True)
    with replace_file(path) as partial:
        save_file(tensors, partial, metadata={METADATA_KEY: text})


def model_path(model: str | Path) -> Path:
    """The file that MODEL means: itself, a run folder's last model, or what ships under that name.

    Raises:
        ModelError: There is none.
    """
    path = Path(model)
    if path.is_dir():
        path = path / "last.safetensors"
        if not path.is_file():
            raise ModelError(f"{model}: expected a run folder with last.safetensors in it, found none")
    if not path.is_file():
        shipped = builtin_models()
        if str(model) in shipped:
            return shipped[str(model)]
        known = f"; with the program ship: {', '.join(shipped)}" if shipped else ""
        raise ModelError(f"{model}: there is no such model file{known}")
    return path


def read_card(path: Path) -> Card:
    """What a model file says about itself, its weights unread.

    Raises:
        ModelError: It is damaged, or was not written by this program.
    """
    card, _ = _read(path, weights=False)
    return card


def load_model(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | str = "auto",
    blend: float | None = None,
) -> LoadedModel:
    """Rebuild the translator of a model file, a run folder, or a model that ships.

    `blend` is the share of the second stage in the weights of a model that was trained in two (`SRGAN.blend`).

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
        if not isinstance(network, SRGAN):
            raise UserError(f"{path}: is no SRGAN, whose two stages can be blended; run it without --blend")
        network.blend(blend)
        digest = f"{digest}-blend-{blend:g}"  # other weights make other pictures
    chosen = choose_device(device)
    numerics = choose_numerics(chosen, training=False, precision=precision, threads=threads)
    network = numerics.settle(network, chosen).eval().requires_grad_(False)
    if precision == "auto":
        numerics = choose_inference(network, digest, numerics, chosen)
        network = numerics.settle(network, chosen)
    return LoadedModel(network, card, digest, chosen, numerics)


def load_network(path: Path) -> tuple[Translator | Sampler, Card]:
    """The network of a model file, on the host, and what the file says about it.

    Raises:
        ModelError: It is damaged, or was not written by this program.
    """
    card, tensors = _read(path)
    network = card.experiment.model.translator()
    _fill(network, tensors, path)
    return network.eval().requires_grad_(False), card


def build_on_meta(card: Card) -> Translator | Sampler:
    """The network that a card describes, without weights: it can be asked what it takes and makes."""
    with torch.device("meta"):
        return card.experiment.model.translator()


def _read(path: Path, *, weights: bool = True) -> tuple[Card, dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            names = file.keys() if weights else []
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read as a model file: {error}") from None
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path}: holds weights, but not what they are for; it was not written by translate")
    try:
        tree = json.loads(metadata[METADATA_KEY])
        if "figures" in tree:  # TODO: translate.migrations
            tree["metrics"] = tree.pop("figures")
        if tree["format"] > FORMAT:
            raise ModelError(f"{path}: was written by a newer translate, which this one cannot read; update it")
        return Card.model_validate(tree), tensors
    except ValidationError as error:
        problem = error.errors()[0]
        told = ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
        raise ModelError(f"{path}: its description cannot be understood: {told}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: its description cannot be understood: {str(error).splitlines()[0]}") from None


def _fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    own = {name: tensor.shape for name, tensor in network.state_dict().items()}
    given = {name: tensor.shape for name, tensor in tensors.items()}
    if own != given:
        name = next(name for name in {**own, **given} if own.get(name) != given.get(name))
        raise ModelError(
            f"{path}: its weights do not fit its description: {name} is {_shape(given.get(name))}, "
            f"expected {_shape(own.get(name))}"
        )
    network.load_state_dict(tensors)


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a number"
