"""An experiment: what to learn, from what, and how long. The one schema of all configurations."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import Field, Tag, ValidationError, model_validator

from datasets.attributes import AttributesConfig
from datasets.contract import OpenedData, Settings, discriminate_by
from datasets.errors import UserError
from datasets.idx import IdxConfig
from datasets.masked import MaskedConfig
from datasets.paired import PairedConfig
from datasets.pictures import PicturesConfig
from datasets.points import PointsConfig
from datasets.super_resolution import SuperResolutionConfig
from datasets.unpaired import UnpairedConfig
from models.contract import SuitsLabels, SuitsSize
from models.core.autoencoder import AutoencoderConfig
from models.core.began import BEGANConfig
from models.core.gan import GANConfig
from models.core.vae import VAEConfig
from models.cut import CUTConfig
from models.cyclegan import CycleGANConfig
from models.inpainting import InpaintingConfig
from models.pix2pix import Pix2PixConfig
from models.srgan import SRGANConfig
from models.stargan import StarGANConfig
from translate.recipes import recipe_path

Precision = Literal["auto", "fp32", "bf16"]
Layout = Literal["auto", "contiguous", "channels_last"]


class TrainingConfig(Settings):
    """How long and how carefully to train; the same for every recipe."""

    steps: int = Field(200_000, ge=1)
    batch_size: int = Field(1, ge=1)  # of one process
    accumulate: int = Field(1, ge=1)  # batches whose gradients are averaged before a player moves
    decay_from: float = Field(1.0, ge=0, le=1)  # share of the steps after which learning rates fall linearly to 0
    ema_decay: float | None = Field(None, gt=0, lt=1)  # ship an exponential moving average of the weights
    clip_norm: float | None = Field(None, gt=0)  # scale a player's gradient down to this norm
    seed: int = Field(0, ge=0)
    precision: Precision = "auto"
    layout: Layout = "auto"
    threads: int | Literal["auto"] = "auto"  # that compute, on a CPU
    compile: bool = False  # costs a minute at the start; pays in long trainings

    max_minutes: float | None = Field(None, gt=0)  # stop, saved, after this long
    workers: int = Field(2, ge=1)  # threads that read pictures
    log_every: int = Field(50, ge=1)
    sample_every: int = Field(500, ge=1)
    validate_every: int = Field(1000, ge=1)
    validation_limit: int = Field(100, ge=1)  # pictures
    checkpoint_minutes: float = Field(10.0, gt=0)

    def rate_factor(self, step: int) -> float:
        """What the learning rates are multiplied with at `step`."""
        progress = min(step / self.steps, 1.0)
        if progress <= self.decay_from or self.decay_from == 1:
            return 1.0
        return (1 - progress) / (1 - self.decay_from)


# What may differ when a run is continued; a change of anything else would make it another run.
MAY_CHANGE = (
    "steps",
    "max_minutes",
    "workers",
    "log_every",
    "sample_every",
    "validate_every",
    "validation_limit",
    "checkpoint_minutes",
)


ModelUnion = Annotated[
    Annotated[Pix2PixConfig, Tag("pix2pix")]
    | Annotated[CycleGANConfig, Tag("cyclegan")]
    | Annotated[GANConfig, Tag("gan")]
    | Annotated[BEGANConfig, Tag("began")]
    | Annotated[AutoencoderConfig, Tag("autoencoder")]
    | Annotated[VAEConfig, Tag("vae")]
    | Annotated[CUTConfig, Tag("cut")]
    | Annotated[StarGANConfig, Tag("stargan")]
    | Annotated[SRGANConfig, Tag("srgan")]
    | Annotated[InpaintingConfig, Tag("inpainting")],
    discriminate_by("name", "pix2pix"),
]
DataUnion = Annotated[
    Annotated[PairedConfig, Tag("paired")]
    | Annotated[UnpairedConfig, Tag("unpaired")]
    | Annotated[AttributesConfig, Tag("attributes")]
    | Annotated[PicturesConfig, Tag("pictures")]
    | Annotated[IdxConfig, Tag("idx")]
    | Annotated[PointsConfig, Tag("points")]
    | Annotated[SuperResolutionConfig, Tag("super-resolution")]
    | Annotated[MaskedConfig, Tag("inpainting")],
    discriminate_by("kind", "paired"),
]
DATA = [get_args(member)[0] for member in get_args(get_args(DataUnion)[0])]  # every kind's settings


class Experiment(Settings):
    """A model, the data it learns from, and its training."""

    model: ModelUnion
    data: DataUnion
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _data_fits_model(self) -> Self:
        if self.model.batch_type is not self.data.batch_type:
            kinds = [
                str(kind.model_fields["kind"].default) for kind in DATA if kind.batch_type is self.model.batch_type
            ]
            raise ValueError(
                f"model {self.model.name} cannot learn from data of the kind {self.data.kind}; set data.kind to "
                f"{' or '.join(kinds)}"
            )
        for (name, expected), given in zip(self.model.expects.items(), self.data.channels, strict=True):
            if expected != given:
                raise ValueError(
                    f"model.{name} is {expected}, and the data's pictures have {given}; set model.{name}={given}"
                )
        enlarged = self.model.scale if isinstance(self.model, SRGANConfig) else 1
        larger = self.data.scale if isinstance(self.data, SuperResolutionConfig) else 1
        if enlarged != larger:
            raise ValueError(
                f"model {self.model.name} enlarges {enlarged} times, and the data's targets are {larger} times their "
                "sources; give model.scale and data.scale one value, and data.kind=super-resolution"
            )
        problem = self.model.size_problem(self.data.size)
        if problem is not None:
            said = f"{self.data.size_key or 'the size of the data'} is {self.data.size}"
            raise ValueError(f"{said}, and {problem} pixels: change one of the two")
        return self

    def on(self, opened: OpenedData) -> Self:
        """The experiment with what only the data could tell: the names of its domains, the size of its squares.

        Raises:
            UserError: The model cannot learn from these domains.
        """
        model = self.model.with_domains(opened.domains)
        if isinstance(model, SuitsLabels):
            model = model.with_label_sets(opened.label_sets)
        if isinstance(model, SuitsSize):
            model = model.for_size(self.data.size)
        return self.model_copy(update={"model": model})


def load_experiment(recipe: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment that a recipe's name or YAML file describes, with `section.key=value` overrides.

    Raises:
        UserError: There is no such recipe, or something in it cannot be.
    """
    path = recipe_path(recipe)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no readable YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected the sections model, data and training, found {type(tree).__name__}")
    for override in overrides:
        apply_override(tree, override)
    return parse_experiment(tree, str(path))


def with_overrides(experiment: Experiment, overrides: Sequence[str]) -> Experiment:
    """The experiment with `section.key=value` overrides.

    Raises:
        UserError: Something in it cannot be.
    """
    tree = experiment.model_dump(mode="json")
    for override in overrides:
        apply_override(tree, override)
    return parse_experiment(tree, "--set")


def parse_experiment(tree: Any, where: str) -> Experiment:
    """An experiment from plain data; `where` opens the sentence about what is wrong in it."""
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(f"{where}: {_sentence(problem, tree)}" for problem in error.errors())) from None


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Put what `section.key=value` says into a tree of settings.

    Raises:
        UserError: It is not of that form, or a section is none.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set {override}: expected section.key=value, such as training.steps=1000")
    *sections, last = key.split(".")
    place = tree
    for section in sections:
        if not isinstance(place.setdefault(section, {}), dict):
            raise UserError(f"--set {override}: {section} is a value and has no parts")
        place = place[section]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        value = text  # a name with a colon in it, not a section
    if last in ("name", "kind") and place.get(last, value) != value:
        place.clear()  # another kind of thing: the parts of the old one mean nothing to it
    place[last] = value


def _sentence(problem: Any, tree: Any) -> str:
    path = []
    place = tree
    missing = len(problem["loc"]) if problem["type"] == "missing" else 0
    for depth, part in enumerate(problem["loc"], 1):
        # pydantic names the member of a union on the way; the reader's file has no such level.
        if depth != missing and not (isinstance(place, dict) and part in place):
            continue
        path.append(str(part))
        place = place.get(part) if isinstance(place, dict) else None
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "unknown_key":
        return ".".join([*path, message]) if not path or path[-1] != problem["ctx"]["key"] else ".".join(path)
    if problem["type"] == "union_tag_invalid":
        return f"{'.'.join(path)}: there is no {problem['ctx']['tag']}; there are {problem['ctx']['expected_tags']}"
    if problem["type"] == "model_type":
        message = "expected a section with keys of its own"
    given = problem["input"]
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{'.'.join(path)}: {message}{shown}" if path else message
