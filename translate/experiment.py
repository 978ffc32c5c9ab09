"""Experiments: what to learn, from which data, and how long; the one schema of all configurations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import Field, Tag, ValidationError, model_validator

from datasets.attributes import AttributesConfig
from datasets.contract import DataConfig, OpenedData, Settings, discriminate_by
from datasets.errors import UserError
from datasets.idx import IdxConfig
from datasets.masked import MaskedConfig
from datasets.paired import PairedConfig
from datasets.pictures import PicturesConfig
from datasets.points import PointsConfig
from datasets.super_resolution import SuperResolutionConfig
from datasets.unpaired import UnpairedConfig
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
from translate.files import DuplicateKeyError, parse_yaml
from translate.recipes import recipe_path

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Layout = Literal["auto", "contiguous", "channels_last"]
DegradeOn = Literal["auto", "threads", "device"]


class TrainingConfig(Settings):
    """How long and how to train; the same settings for every model."""

    steps: int = Field(
        default=200_000, ge=1, description="until the training ends; raise it to continue one that ended"
    )
    batch_size: int = Field(default=1, ge=1, description="samples of a batch, in one process")
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients are averaged before a player moves")
    decay_from: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="fraction of the steps after which learning rates fall linearly to 0; 1: never",
    )
    ema_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="ship an exponential moving average of the weights with this decay; null: the weights themselves",
    )
    clip_norm: float | None = Field(
        default=None, gt=0, description="scale a player's gradient down to this norm; null: never"
    )
    seed: int = Field(default=0, ge=0, description="of all that is drawn")
    precision: Precision = Field(
        default="auto", description="of the computation; auto: bf16 where the processor has it"
    )
    layout: Layout = Field(default="auto", description="of pictures in memory; auto: what is faster")
    threads: int | Literal["auto"] = Field(
        default="auto", description="that a CPU computes with; auto: one for each core"
    )
    degrade_on: DegradeOn = Field(
        default="auto",
        description="where pictures are degraded and recoloured; auto: threads on a CPU, else the faster, measured",
    )
    compile: bool = Field(
        default=False, description="with torch.compile, which costs a minute at the start, and pays in long trainings"
    )

    max_minutes: float | None = Field(default=None, gt=0, description="save and stop after this time; null: no limit")
    workers: int = Field(default=2, ge=1, description="threads that read pictures")
    log_every: int = Field(default=50, ge=1, description="steps between lines about the losses")
    sample_every: int = Field(default=500, ge=1, description="steps between sample pictures")
    validate_every: int = Field(default=1000, ge=1, description="steps between validations")
    validation_limit: int = Field(default=100, ge=1, description="most held-out samples that a validation looks at")
    checkpoint_minutes: float = Field(
        default=10.0, gt=0, description="minutes between saves of all that resuming needs"
    )

    def rate_factor(self, step: int) -> float:
        """Return the factor of all learning rates at `step`."""
        progress = min(step / self.steps, 1.0)
        if progress <= self.decay_from or self.decay_from == 1:
            return 1.0
        return (1 - progress) / (1 - self.decay_from)


# Training settings that may differ when a run is resumed; a change of any other would make it another run.
RESUMABLE_CHANGES = (
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


def _members(union: Any) -> tuple[Any, ...]:
    """Return the classes of a union of the form `Annotated[Annotated[A, Tag("a")] | …, Discriminator]`."""
    tagged = get_args(get_args(union)[0])
    return tuple(get_args(member)[0] for member in tagged)


DATA_CONFIGS: tuple[type[DataConfig], ...] = _members(DataUnion)


class Experiment(Settings):
    """A model, the data it learns from, and its training."""

    model: ModelUnion
    data: DataUnion
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _check_data_fits_model(self) -> Self:
        model, data = self.model, self.data
        if model.batch_type is not data.batch_type:
            kinds = [
                str(kind.model_fields["kind"].default) for kind in DATA_CONFIGS if kind.batch_type is model.batch_type
            ]
            raise ValueError(
                f"model {model.name} cannot learn from data of the kind {data.kind}; set data.kind to "
                f"{' or '.join(kinds)}"
            )
        for (name, expected), found in zip(model.expects.items(), data.channels, strict=True):
            if expected != found:
                raise ValueError(
                    f"model.{name} is {expected}, and the data's pictures have {found}; set model.{name}={found}"
                )
        if model.output_scale != data.target_scale:
            raise ValueError(
                f"model {model.name} enlarges {model.output_scale} times, and the data's targets are "
                f"{data.target_scale} times as large as their sources; give model.scale and data.scale the same value, "
                "and set data.kind=super-resolution"
            )
        problem = model.size_problem(data.training_size)
        if problem is not None:
            size = f"{data.size_key or 'the size of the data'} is {data.training_size}"
            raise ValueError(f"{size}, and {problem} pixels: change one of the two")
        return self

    def adapt_to(self, data: OpenedData[Any]) -> Self:
        """Return the experiment with what only the opened data could tell: their domains and labels.

        Raises:
            UserError: The model cannot learn from these domains.
        """
        model = self.model.with_domains(data.domains).with_label_sets(data.label_sets)
        return self.model_copy(update={"model": model.for_size(self.data.training_size)})


def load_experiment(recipe: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Return the experiment that a recipe's name or YAML file describes.

    Args:
        recipe: A name of `translate.recipes.recipe_names`, or the path of a YAML file.
        overrides: Changes to it, such as "training.steps=1000".

    Raises:
        UserError: The recipe does not exist, or something in it, or in an override, is not valid.
    """
    path = recipe_path(str(recipe))
    try:
        tree = parse_yaml(path.read_bytes())
    except DuplicateKeyError as error:
        raise UserError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected the sections model, data and training, found {type(tree).__name__}")
    for override in overrides:
        apply_override(tree, override)
    return parse_experiment(tree, str(path))


def override_experiment(experiment: Experiment, overrides: Sequence[str]) -> Experiment:
    """Return the experiment with overrides, such as "data.kind=idx".

    Raises:
        UserError: Something in them is not valid.
    """
    tree = experiment.model_dump(mode="json")
    for override in overrides:
        apply_override(tree, override)
    return parse_experiment(tree, "; ".join(overrides))


def parse_experiment(tree: Any, where: str) -> Experiment:
    """Return the experiment in plain data; `where` is the beginning of every error message.

    Raises:
        UserError: Something in it is not valid.
    """
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(f"{where}: {_describe(problem, tree)}" for problem in error.errors())) from None


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Put the value of an override, "section.key=value", into plain data.

    Raises:
        UserError: It does not have that form, or names a value as a section.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"{override}: expected section.key=value, such as training.steps=1000")
    *sections, last = key.split(".")
    place = tree
    for section in sections:
        if not isinstance(place.setdefault(section, {}), dict):
            raise UserError(f"{override}: {section} is a value and has no parts")
        place = place[section]
    try:
        value = parse_yaml(text)
    except DuplicateKeyError as error:
        raise UserError(f"{override}: {error}") from None
    except yaml.YAMLError:
        value = text
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        value = text  # a name with a colon in it, not a section
    if last in ("name", "kind") and place.get(last, value) != value:
        place.clear()  # the settings beside it belong to the old kind
    place[last] = value


def _describe(problem: Any, tree: Any) -> str:
    """Return a message about one of pydantic's errors, with the path of the setting in the user's file."""
    path = []
    place = tree
    missing = len(problem["loc"]) if problem["type"] == "missing" else 0
    for depth, part in enumerate(problem["loc"], 1):
        # pydantic's paths also name the members of unions, which the user's file does not have as a level.
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
    value = problem["input"]
    found = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
    return f"{'.'.join(path)}: {message}{found}" if path else message
