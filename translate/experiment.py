"""Experiments: what to learn, from which data, and how long; the one schema of all configurations."""

import copy
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
from models.bridge import BridgeConfig
from models.core.autoencoder import AutoencoderConfig
from models.core.began import BEGANConfig
from models.core.diffusion import DiffusionConfig
from models.core.flow import FlowConfig
from models.core.gan import GANConfig
from models.core.vae import VAEConfig
from models.cut import CUTConfig
from models.cyclegan import CycleGANConfig
from models.inpainting import InpaintingConfig
from models.pix2pix import Pix2PixConfig
from models.srgan import SRGANConfig
from models.stargan import StarGANConfig
from models.zoo import ZooConfig
from translate.files import DuplicateKeyError, parse_yaml
from translate.recipes import recipe_names, recipe_path
from translate.settings.overrides import apply_override, describe_errors, key_of
from translate.settings.sizes import follow_size, suggest_sizes, walk

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
    layout: Layout = Field(
        default="auto",
        description="of pictures in memory; auto: contiguous on a CPU, else the faster, measured",
    )
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


# Settings of the channels of pictures, in the order of their batch.
CHANNEL_KEYS = ("picture_channels", "source_channels", "target_channels")

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
    | Annotated[InpaintingConfig, Tag("inpainting")]
    | Annotated[ZooConfig, Tag("zoo")]
    | Annotated[DiffusionConfig, Tag("diffusion")]
    | Annotated[BridgeConfig, Tag("bridge")]
    | Annotated[FlowConfig, Tag("flow")],
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
    _followed: tuple[str, ...] = ()

    @property
    def followed(self) -> tuple[str, ...]:
        """What was changed beside the user's overrides, because it depends on them; as overrides."""
        return self._followed

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
        keys = [key for key in CHANNEL_KEYS if key in type(data).model_fields] or [""] * len(data.channels)
        for (name, expected), found, key in zip(model.expects.items(), data.channels, keys, strict=True):
            if expected != found:
                other = f" or data.{key}={expected}" if key and expected in (1, 3, 4) else ""
                raise ValueError(
                    f"model.{name} is {expected}, and the data's pictures have {found}; set model.{name}={found}{other}"
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
            raise ValueError(f"{size}, and {problem} pixels: {suggest_sizes(model, data)}")
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

    Where an override changes the size of the pictures, what depends on it follows: `Experiment.followed` says what.

    Args:
        recipe: A name of `translate.recipes.recipe_names`, or the path of a YAML file.
        overrides: Changes to it, such as "training.steps=1000".

    Raises:
        UserError: The recipe does not exist, or something in it, or in an override, is not valid.
    """
    path = recipe_path(str(recipe))
    where = f"recipe {recipe}" if str(recipe) in recipe_names() else str(path)
    try:
        tree = parse_yaml(path.read_bytes())
    except DuplicateKeyError as error:
        raise UserError(f"{where}: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{where}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{where}: expected the sections model, data and training, found {type(tree).__name__}")
    return _change(tree, overrides, where)


def override_experiment(experiment: Experiment, overrides: Sequence[str], *, follow: bool = True) -> Experiment:
    """Return the experiment with overrides, such as "data.kind=idx".

    `follow`: other settings follow a size that is overridden. They may not where the network has its weights already.

    Raises:
        UserError: Something in them is not valid.
    """
    return _change(experiment.model_dump(mode="json"), overrides, "the settings", follow=follow)


def parse_experiment(tree: Any, where: str, overrides: Sequence[str] = (), known: Sequence[str] = ()) -> Experiment:
    """Return the experiment in plain data; `where` is the beginning of error messages.

    `overrides` were put into the data, and are named instead where they are to blame; see `describe_errors`.

    Raises:
        UserError: Something in it is not valid.
    """
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise UserError(describe_errors(error, tree, where, overrides, known)) from None


def _change(tree: dict[str, Any], overrides: Sequence[str], where: str, *, follow: bool = True) -> Experiment:
    """Return the experiment in plain data with overrides, and with what follows from them."""
    if not overrides:
        return parse_experiment(tree, where)
    before = _parse_valid(tree)
    known = [] if before is None else [key for key, _ in walk(before.model_dump())]
    changed = copy.deepcopy(tree)
    for override in overrides:
        apply_override(changed, override, known)
    own = [key_of(override) for override in overrides]
    followed = _follow(before, changed, own) if follow and before is not None else []
    for override in followed:
        apply_override(changed, override)
    experiment = parse_experiment(changed, where, overrides, known)
    experiment._followed = tuple(followed)
    return experiment


def _parse_valid(tree: Any) -> Experiment | None:
    try:
        return Experiment.model_validate(tree)
    except ValidationError:
        return None


def _follow(before: Experiment, changed: dict[str, Any], own: Sequence[str]) -> list[str]:
    """Return the overrides that follow where the user's own ones change the size of the same kind of data and model."""
    key = before.data.size_key
    same = not {"data", "data.kind", "model", "model.name"} & {*own}
    if key is None or key not in own or not same:
        return []
    size = dict(walk(changed)).get(key)
    if not isinstance(size, int):
        return []
    resized = copy.deepcopy(changed)
    apply_override(resized, f"{key}={before.data.training_size}")
    otherwise = _parse_valid(resized) or before  # with all that the user changed but the size, such as the network
    return follow_size(otherwise.model, before.data, size, own)
