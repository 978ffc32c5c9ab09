"""Enlarge pictures, with a model that ships or with one of the user's own."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from torch import Tensor, nn

from datasets.codecs.images import Picture
from datasets.errors import UserError
from models.contract import Translator
from translate.inference.input_kind import find_input_kind
from translate.inference.model import F, Model, P, load_model
from translate.inference.shipped import upscaler_name
from translate.inference.strength import check_strength

Upscaler = Model | str | Path


@overload
def upscale(
    image: str | Path, scale: int | None = None, model: Upscaler | None = None, *, strength: float = 1.0
) -> Picture: ...
@overload
def upscale(
    image: list[F], scale: int | None = None, model: Upscaler | None = None, *, strength: float = 1.0
) -> list[Picture]: ...
@overload
def upscale(image: P, scale: int | None = None, model: Upscaler | None = None, *, strength: float = 1.0) -> P: ...
@overload
def upscale(
    image: list[P], scale: int | None = None, model: Upscaler | None = None, *, strength: float = 1.0
) -> list[P]: ...
def upscale(image: Any, scale: int | None = None, model: Upscaler | None = None, *, strength: float = 1.0) -> Any:
    """Enlarge a picture, and return the same kind of object.

    Args:
        image: Whatever a `Model` can be called with, or a list of it.
        scale: How many times larger on each side; None: as `model` enlarges, and 4 for those that ship.
        model: An upscaler, or its file, run folder or name; None: the one that ships for `scale`. It is loaded anew in
            every call; for many pictures, load it once or give them as a list.
        strength: How much of the model's output is mixed with how much of bicubic enlargement: 1 is the output.

    Raises:
        ModelError: There is no such model.
        PictureError: A file cannot be read.
        UserError: The object is no picture, or no such upscaler ships, or the model does not enlarge so much.
    """
    check_strength(strength)
    upscaler = check_upscaler(model, scale) if isinstance(model, Model) else load_upscaler(scale, model=model)
    return upscaler(image, strength=strength)


def load_upscaler(
    scale: int | None = None,
    input_kind: str | None = None,
    *,
    model: Path | str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Model:
    """Load the upscaler that ships for a scale and a kind of input, or one of the user's own.

    Args:
        scale: How many times larger on each side; None: as the model enlarges, and 4 for those that ship.
        input_kind: What the pictures are: "clean", "compressed" (by JPEG, or a little noisy), "damaged" (blurred, noisy
            and compressed several times; only for scale 4), or "auto", the same as None: each picture is looked at, and
            enlarged with the model for clean or for compressed ones.
        model: The user's own: a model file or a run folder.
        device: As for `load_model`.
        precision: As for `load_model`.

    Raises:
        ModelError: There is no such model.
        UserError: None ships for these, or the model does not enlarge, or not so much.
    """
    if model is None:
        kinds = ("clean", "compressed") if input_kind in (None, "auto") else (str(input_kind),)
        models = [load_model(upscaler_name(scale, kind), device=device, precision=precision) for kind in kinds]
        return join_models(*models) if len(models) > 1 else models[0]
    if input_kind is not None:
        raise UserError("`input_kind` chooses among the models that ship: leave it out, or `model`")
    return check_upscaler(load_model(model, device=device, precision=precision), scale, str(model))


class UpscalerByInput(Translator):
    """Two upscalers of one kind and scale: `domain` 0 is for clean pictures, 1 for compressed ones."""

    def __init__(self, clean: Translator, compressed: Translator) -> None:
        super().__init__()
        self.networks = nn.ModuleList([clean, compressed])
        self.channels_in, self.channels_out, self.scale = clean.channels_in, clean.channels_out, clean.scale
        self.multiple = math.lcm(clean.multiple, compressed.multiple)
        self.minimum = max(clean.minimum, compressed.minimum)
        margins = clean.margin, compressed.margin
        self.margin = None if None in margins else max(margin for margin in margins if margin is not None)

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Enlarge (B, 3, H, W) with one of the two."""
        output: Tensor = self.networks[domain](image)
        return output


def join_models(clean: Model, compressed: Model) -> Model:
    """Return a model that looks at every picture, and enlarges it with the one of two models that is for its kind."""

    def choose(picture: Picture) -> tuple[int, str]:
        kind = find_input_kind(picture)
        return int(kind.compressed), f"{'compressed' if kind.compressed else 'clean'}: {kind.reason}"

    precisions = {clean.numerics.precision, compressed.numerics.precision}
    numerics = clean.numerics if len(precisions) == 1 else replace(clean.numerics, precision="fp32")
    translator = UpscalerByInput(clean.translator, compressed.translator).eval()
    return Model(translator, clean.card, f"{clean.digest}-{compressed.digest}", clean.device, numerics, choose)


def check_upscaler(model: Model, scale: int | None, name: str = "this model") -> Model:
    """Return the model if it enlarges pictures, and by this scale if one is given.

    Raises:
        UserError: It does not.
    """
    own = model.translator.scale
    if own == 1:
        verb = "inpaint" if model.translator.fills_holes else "run"
        raise UserError(f"{name}: does not enlarge; `translate {verb}` is for it")
    if scale not in (None, own):
        raise UserError(f"`scale` {scale}: {name} enlarges {own} times; leave `scale` out")
    return model
