"""Inpainters by name: a trained network, OpenCV's classical methods, or a search in a generator's latents."""

from pathlib import Path
from typing import ClassVar, get_args

import torch
from torch import Tensor

from datasets.errors import UserError
from models.apply import translate_batch
from models.baselines.opencv import Classical, ClassicalName
from models.contract import Sampler, Translator
from models.inpainting import InpaintingConfig
from translate.hardware import memory_ran_out
from translate.inference.model import Model, load_model
from translate.inference.model_file import ModelError, build_uninitialized, model_path, read_card
from translate.inference.precision import is_flat
from translate.inference.shipped import builtin_models
from translate.inpainting.fill import Inpainter
from translate.inpainting.gan_search import load_gan_search
from translate.sampling.sampler import load_sampler

SHIPPED = "inpaint"  # the model that is used where none is named
CLASSICAL: tuple[ClassicalName, ...] = get_args(ClassicalName)
CLASSICAL_SIZE = 64  # least pixels on a side of a crop: these methods look a few pixels far only


class OutOfMemoryError(UserError):
    """Memory is not enough for a crop."""

    exit_code: ClassVar[int] = 7


def load_inpainter(model: str | Path | None, *, device: str = "auto", precision: str = "auto") -> Inpainter:
    """Load an inpainter.

    Args:
        model: "telea", "navier-stokes", a model file or a run folder; None: the inpainter that ships. A generator of
            pictures, which was not trained to fill holes, is searched for a picture that fits.
        device: Where it computes.
        precision: That it computes with.

    Raises:
        ModelError: There is no such model, or it fills no holes.
        UserError: None is named, and none ships.
    """
    if model is None:
        if SHIPPED not in builtin_models():
            raise UserError(f"no inpainter ships with this program: name one as `model`, such as {CLASSICAL[0]}")
        model = SHIPPED
    for name in CLASSICAL:
        if str(model) == name and not Path(model).exists():
            return classical_inpainter(name)
    network = build_uninitialized(read_card(model_path(model, CLASSICAL)))
    if isinstance(network, Translator) and network.fills_holes:
        return learned_inpainter(load_model(model, device=device, precision=precision))
    if isinstance(network, Sampler):
        return load_gan_search(load_sampler(model, device=device, precision=precision), model)
    verb = "upscale" if network.scale > 1 else "run"
    raise ModelError(f"{model}: takes whole pictures and fills no holes; use `translate {verb}`")


def classical_inpainter(name: ClassicalName) -> Inpainter:
    """Return one of OpenCV's methods as an inpainter."""
    network = Classical(name).eval()

    def fill(image: Tensor, hole: Tensor, depth: int) -> Tensor:
        return translate_batch(network, torch.cat([image, hole])[None])[0]

    return Inpainter(fill, name, CLASSICAL_SIZE, any_scale=True)


def learned_inpainter(loaded: Model) -> Inpainter:
    """Return a translator whose fourth input channel is the hole as an inpainter.

    Raises:
        ModelError: It takes no hole.
    """
    if not loaded.translator.fills_holes:
        raise ModelError("this model takes whole pictures and fills no holes")

    def fill(image: Tensor, hole: Tensor, depth: int) -> Tensor:
        batch = torch.cat([image, hole])[None]
        exact = depth == 16 or is_flat(image[:, None, hole[0] == 0])  # the contents of the hole do not count
        try:
            filled = loaded.run(batch, precision="fp32" if exact else None)[0]
            if not filled.isfinite().all():
                filled = loaded.run(batch, precision="fp32")[0]
        except (RuntimeError, MemoryError) as error:
            if not memory_ran_out(error):
                raise
            height, width = image.shape[-2:]
            raise OutOfMemoryError(f"memory is not enough for a crop of {width}x{height} pixels") from None
        if not filled.isfinite().all():
            raise UserError("the model's output is not finite; was its training sound?")
        return filled

    config, only = loaded.card.experiment.model, loaded.translator.only_size
    return Inpainter(
        fill,
        loaded.digest,
        only or loaded.card.trained_size,
        only_size=only is not None,
        precision=loaded.numerics.precision,
        smooth=isinstance(config, InpaintingConfig) and not config.adversarial_weight,
        exclusive=loaded.translator.draws or loaded.device.type != "cpu",
        computing=lambda: loaded.numerics.active(loaded.device),
    )
