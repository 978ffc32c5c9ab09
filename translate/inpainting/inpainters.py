"""What can fill holes, by name: a learned inpainter, OpenCV's classics, or a generator that searches."""

from pathlib import Path
from typing import ClassVar, get_args

import torch
from torch import Tensor

from datasets.errors import UserError
from models.apply import translate_batch
from models.baselines.opencv import Classical, ClassicalName
from models.contract import Sampler, Translator
from translate.hardware import memory_ran_out
from translate.inference.model import Model, load_model
from translate.inference.model_file import ModelError, build_on_meta, model_path, read_card
from translate.inference.precision import is_flat
from translate.inference.shipped import builtin_models
from translate.inpainting.fill import Inpainter
from translate.inpainting.gan_search import load_gan_search
from translate.sampling.sampler import load_sampler

SHIPPED = "inpaint"  # the name of the model that is used where none is named
CLASSICAL: tuple[ClassicalName, ...] = get_args(ClassicalName)
CLASSICAL_SIZE = 64  # pixels on a side of a crop, at least: they look at what is near only


class OutOfMemoryError(UserError):
    """Memory is not enough for a crop."""

    exit_code: ClassVar[int] = 7


def load_inpainter(model: str | Path | None, *, device: str = "auto", precision: str = "auto") -> Inpainter:
    """What a name stands for: `telea`, `navier-stokes`, a model file, a run folder; None: the inpainter that ships.

    A generator of pictures, which was not made for it, searches for the picture that fits.

    Raises:
        ModelError: There is no such model, or it fills no holes.
        UserError: None is named, and none ships.
    """
    if model is None:
        if SHIPPED not in builtin_models():
            raise UserError(f"no inpainter ships with this program: name one with --model, or {' or '.join(CLASSICAL)}")
        model = SHIPPED
    for name in CLASSICAL:
        if str(model) == name and not Path(model).exists():
            return classical(name)
    network = build_on_meta(read_card(model_path(model)))
    if isinstance(network, Translator) and network.fills_holes:
        return learned(load_model(model, device=device, precision=precision))
    if isinstance(network, Sampler):
        return load_gan_search(load_sampler(model, device=device, precision=precision), model)
    verb = "upscale" if network.scale > 1 else "run"
    raise ModelError(f"{model}: takes whole pictures and fills no holes; use `translate {verb}`")


def classical(name: ClassicalName) -> Inpainter:
    """Telea's or Navier-Stokes' way."""
    network = Classical(name).eval()

    def fill(image: Tensor, hole: Tensor, depth: int) -> Tensor:
        return translate_batch(network, torch.cat([image, hole])[None])[0]

    return Inpainter(fill, name, CLASSICAL_SIZE, any_scale=True)


def learned(loaded: Model) -> Inpainter:
    """A translator whose fourth channel is the hole."""

    def fill(image: Tensor, hole: Tensor, depth: int) -> Tensor:
        given = torch.cat([image, hole])[None]
        exact = depth == 16 or is_flat(image[:, None, hole[0] == 0])  # what the hole holds does not count
        try:
            made = loaded.run(given, precision="fp32" if exact else None)[0]
            if not made.isfinite().all():
                made = loaded.run(given, precision="fp32")[0]
        except (RuntimeError, MemoryError) as error:
            if not memory_ran_out(error):
                raise
            height, width = image.shape[-2:]
            raise OutOfMemoryError(f"memory is not enough for a crop of {width}x{height} pixels") from None
        if not made.isfinite().all():
            raise UserError("the model gives values that are no numbers; was its training sound?")
        return made

    only = loaded.translator.only_size
    return Inpainter(
        fill,
        loaded.digest,
        only or loaded.card.trained_size,
        only_size=only is not None,
        precision=loaded.numerics.precision,
        alone=loaded.translator.draws or loaded.device.type != "cpu",
    )
