"""What every kind of data promises to the rest of the project: settings, batches, samples, seeds.

All pictures in batches are gray, RGB or RGB with alpha, float32, in [-1, 1].
"""

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Discriminator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor

from datasets.devices import move
from datasets.errors import OptionError, suggest
from datasets.problems import describe_problem


class Settings(BaseModel):
    """Base of every configuration class: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        """Answer an unknown key with the known one that was probably meant."""
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                known = suggest(str(key), cls.model_fields, "known are")
                raise PydanticCustomError("unknown_key", "{key}: unknown; {known}", {"key": key, "known": known})
        return values


class Options(Settings):
    """Base of the options of functions: whoever sets one wrongly gets a sentence.

    Raises:
        OptionError: There is no such option, or its value is not allowed.
    """

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = error.errors()
            unknown = problems[0]["type"] == "unknown_key"
            names = [str(part) for part in problems[0]["loc"] if isinstance(part, str)]
            option = problems[0]["ctx"]["key"] if unknown else names[0]
            same = [problem for problem in problems if problem["loc"][:1] == problems[0]["loc"][:1]]
            raise OptionError(option, describe_problem(same).removeprefix(f"{option}: ")) from None


def discriminate_by(key: str, default: str) -> Discriminator:
    """Return a discriminator that picks the union member tagged with the value at `key`, or else with `default`."""

    def tag(value: Any) -> str:
        return str(value.get(key, default) if isinstance(value, dict) else getattr(value, key, default))

    tag.__dict__.update(key=key, default=default)  # for the JSON Schema
    return Discriminator(tag)


class Paired(NamedTuple):
    """Pictures of the same scenes before and after: (B, C, H, W) and (B, C', s·H, s·W), for a scale s of mostly 1."""

    source: Tensor
    target: Tensor


class Pictures(NamedTuple):
    """Pictures (B, C, H, W) and their labels (B,) int64, which are 0 where there are no labels."""

    image: Tensor
    label: Tensor


class Unpaired(NamedTuple):
    """Pictures of two domains, (B, C, H, W) each.

    `truth`, (B,) bool, is True where `a` and `b` show the same scene, so that each is the other's true translation.
    """

    a: Tensor
    b: Tensor
    truth: Tensor


class Attributed(NamedTuple):
    """Pictures (B, C, H, W) and their labels.

    `label`, (B, n) float32, is 1 for each label that a picture has, over the labels of all sets together. `source`,
    (B,) int64, is the set that a picture comes from; the labels of other sets are unknown for it, and stored as 0.
    """

    image: Tensor
    label: Tensor
    source: Tensor


class Masked(NamedTuple):
    """Whole pictures (B, 3, H, W), and masks (B, 1, H, W) float32 that are 1 in the hole and 0 elsewhere."""

    image: Tensor
    mask: Tensor


class LabelSet(Settings):
    """The labels of one source of pictures.

    Attributes:
        names: Of the labels.
        classes: True: every picture has exactly one of them. False: any number, each independent of the others.
        exclusive: Groups of labels of which a picture has at most one.
    """

    names: tuple[str, ...] = Field(description="of the labels")
    classes: bool = Field(default=False, description="every picture has exactly one of them; false: any number")
    exclusive: tuple[tuple[str, ...], ...] = Field(
        default=(), description="groups of labels of which a picture has at most one"
    )


B = TypeVar("B", bound=tuple[Tensor, ...])
S_co = TypeVar("S_co", bound=tuple[Tensor, ...], covariant=True)


class Samples(ABC, Generic[S_co]):
    """The training or validation samples of an opened folder.

    A sample is a batch type without its batch dimension.

    Attributes:
        in_memory: True where all samples are tensors in memory and nothing is drawn: `gather` is then faster than
            reading ahead on threads.
    """

    in_memory: ClassVar[bool] = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def sample(self, index: int, seed: int) -> S_co:
        """Return the sample at `index`, with augmentation drawn from `seed`.

        Equal arguments give equal tensors, whichever thread calls.
        """

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name that a person knows the sample by: its file's path within the folder."""

    def gather(self, indices: Sequence[int], seeds: Sequence[int]) -> S_co:
        """Return the samples at `indices`, each drawn from its seed, as one batch."""
        return stack([self.sample(index, seed) for index, seed in zip(indices, seeds, strict=True)])

    def without_degradation(self) -> "Samples[Any] | None":
        """Return the same samples with their degradation left to `finish`, or None if it has to stay on the threads."""
        return None

    def finish(self, batch: Any, seeds: Sequence[int], device: torch.device) -> Any:
        """Return a batch of these samples, one seed each, on `device` and complete: what was left out is done there.

        A batch of `without_degradation()` becomes a batch of the samples that it was called on, within the bounds that
        `datasets.degradations.batches` states; any other is only moved.
        """
        return to_device(batch, device)


class OpenedData(NamedTuple, Generic[S_co]):
    """What a data configuration finds in a folder."""

    training: Samples[S_co]
    validation: Samples[S_co]
    fingerprint: str  # of names and sizes: folders with equal fingerprints hold the same data
    skipped: tuple[str, ...]  # one sentence for each sample that was left out
    domains: tuple[str, ...] = ()  # names of the labels; a label in a batch is an index into them
    label_sets: tuple[LabelSet, ...] = ()  # the same names by set, where a picture may have several labels
    with_alpha: int = 0  # pictures that have alpha


class DataConfig(Settings, ABC):
    """Settings of one kind of data, and how a folder of that kind is opened."""

    batch_type: ClassVar[type[tuple[Tensor, ...]]]  # of its batches, such as Paired
    size_key: ClassVar[str | None] = None  # the setting that decides `training_size`; None: nothing changes it

    kind: str = Field(description="the kind of data")
    validation_fraction: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="of the samples, held out from training to measure it; a hash of their names decides which",
    )

    @property
    @abstractmethod
    def channels(self) -> tuple[int, ...]:
        """Channels of the pictures in a batch, in the order in which a model's `expects` names them."""

    @property
    @abstractmethod
    def training_size(self) -> int:
        """Pixels on a side of the squares that a model is trained on."""

    @property
    def scaled_to(self) -> int | None:
        """The shorter side in pixels to which pictures are scaled before they are cropped; None: they are not."""
        return None

    @property
    def target_scale(self) -> int:
        """How many times larger the targets are than the sources."""
        return 1

    @abstractmethod
    def open(self, root: Path) -> OpenedData[tuple[Tensor, ...]]:
        """Find and check all samples under `root`.

        Raises:
            DataError: The folder, or something in it, cannot be used.
        """


def stack(samples: Sequence[B]) -> B:
    """Return the samples as one batch: every field gains a batch dimension."""
    kind = type(samples[0])
    return kind(*(torch.stack(field) for field in zip(*samples, strict=True)))


def to_device(batch: B, device: torch.device) -> B:
    """Return the batch on `device`; where the batch is pinned, the copy overlaps with computation."""
    kind = type(batch)
    return kind(*(move(field, device) for field in batch))


def normalize_name(name: str) -> str:
    """Return the spelling of a name by which it is compared with others: Unicode's NFC."""
    return unicodedata.normalize("NFC", name)


def find_name(name: str, names: Sequence[str]) -> int | None:
    """Return the index of a name among others, however each is spelled in Unicode; None if it is not there."""
    spelled = [normalize_name(other) for other in names]
    return spelled.index(normalize_name(name)) if normalize_name(name) in spelled else None


def derive_seed(*numbers: int) -> int:
    """Return a 63-bit seed for a tuple of non-negative numbers; neighbouring tuples give unrelated seeds."""
    low, high = np.random.SeedSequence(numbers).generate_state(2, np.uint32)
    return (int(high) << 32 | int(low)) >> 1
