"""What the rest of the house expects of data: batch types, settings, seeds."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Discriminator, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor

from datasets.errors import UserError as UserError


class Settings(BaseModel):
    """Base of every configuration class: immutable, and a typo is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        """A key that does not exist is answered with the one that was probably meant."""
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                known = f"did you mean {near[0]}?" if near else f"known are {', '.join(cls.model_fields)}"
                raise PydanticCustomError("unknown_key", "{key}: unknown; {known}", {"key": key, "known": known})
        return values


def discriminate_by(key: str, default: str) -> Discriminator:
    """Which member of a union of settings is meant: the one tagged with what stands at `key`, or `default`."""

    def tag(value: Any) -> str:
        return str(value.get(key, default) if isinstance(value, dict) else getattr(value, key, default))

    return Discriminator(tag)


class Paired(NamedTuple):
    """Pictures of the same scenes in two looks, (B, C, H, W) float32 in [-1, 1]."""

    source: Tensor
    target: Tensor


class Pictures(NamedTuple):
    """Pictures, (B, C, H, W) float32 in [-1, 1], and what they show, (B,) int64: 0 where nothing is known of that."""

    image: Tensor
    label: Tensor


class Unpaired(NamedTuple):
    """Pictures of two domains, (B, C, H, W) float32 in [-1, 1] each; neighbours need have nothing in common.

    `truth`, (B,) bool, tells where they do: both then show the same, and each is what the other should become.
    """

    a: Tensor
    b: Tensor
    truth: Tensor


class Attributed(NamedTuple):
    """Pictures, (B, C, H, W) float32 in [-1, 1], and which labels they have.

    `label`, (B, n) float32, is 1 for each label that a picture has, over the labels of all sets; those of other sets
    than its own, `source`, (B,) int64, are 0 and not known.
    """

    image: Tensor
    label: Tensor
    source: Tensor


class Masked(NamedTuple):
    """Pictures, (B, 3, H, W) float32 in [-1, 1], and where a hole is to be thought of.

    `mask`, (B, 1, H, W) float32, is 1 in the hole and 0 elsewhere; the picture still shows what is there.
    """

    image: Tensor
    mask: Tensor


class LabelSet(Settings):
    """The labels by which the pictures of one source are known.

    Attributes:
        names: Of the labels.
        classes: Every picture has exactly one of them; else any number, each by itself.
        exclusive: Groups of labels of which a picture has one at most.
    """

    names: tuple[str, ...]
    classes: bool = False
    exclusive: tuple[tuple[str, ...], ...] = ()


B = TypeVar("B", bound=tuple[Tensor, ...])
S_co = TypeVar("S_co", bound=tuple[Tensor, ...], covariant=True)


class Samples(Protocol[S_co]):
    """Training or validation data, open and checked.

    A sample is a batch type without its batch dimension; `sample(index, seed)` gives the same
    tensors for the same arguments, whoever asks and from whichever thread.
    """

    def __len__(self) -> int: ...

    def sample(self, index: int, seed: int) -> S_co:
        """The sample at `index`; `seed` decides what augmentation draws."""
        ...

    def name(self, index: int) -> str:
        """What a person calls the sample: its file's name within the folder."""
        ...


@runtime_checkable
class Gathers(Protocol[S_co]):
    """Samples that lie in memory as they are learned from: nothing is drawn, and many are had at once."""

    def gather(self, indices: Sequence[int]) -> S_co:
        """The samples at `indices`, stacked; equal to stacking `sample` of each."""
        ...


class OpenedData(NamedTuple):
    """What a data configuration finds in a folder."""

    training: Samples[tuple[Tensor, ...]]
    validation: Samples[tuple[Tensor, ...]]
    fingerprint: str  # of names and sizes: two folders with one fingerprint hold the same data
    skipped: tuple[str, ...]  # a sentence for each sample left out
    domains: tuple[str, ...] = ()  # names of the kinds of picture there are; a label is an index into them
    label_sets: tuple[LabelSet, ...] = ()  # the same, where a picture may be of several kinds at once


class Source(Protocol):
    """A data configuration: it can open a folder."""

    batch_type: ClassVar[type[tuple[Tensor, ...]]]
    size_key: ClassVar[str | None]  # the setting that says `size`; None: it is what it is

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the pictures in a batch, in their order."""
        ...

    @property
    def size(self) -> int:
        """Pixels on a side of the squares that are learned from."""
        ...

    @property
    def scaled_to(self) -> int | None:
        """The shorter side, in pixels, to which pictures are scaled before squares are cut; None: they keep theirs."""
        ...

    def open(self, root: Path) -> OpenedData:
        """Find and check all samples under `root`; raise DataError with what is wrong."""
        ...


def stack(samples: list[B]) -> B:
    """Samples as one batch: every field gains a batch dimension."""
    kind = type(samples[0])
    return kind(*(torch.stack(field) for field in zip(*samples, strict=True)))


def to_device(batch: B, device: torch.device) -> B:
    """The batch on `device`; the copy overlaps with computing where the batch is pinned."""
    kind = type(batch)
    return kind(*(field.to(device, non_blocking=True) for field in batch))


def derive_seed(*numbers: int) -> int:
    """One 63-bit seed from several non-negative numbers; near numbers give unrelated seeds."""
    low, high = np.random.SeedSequence(numbers).generate_state(2, np.uint32)
    return (int(high) << 32 | int(low)) >> 1
