"""What the pipeline does for `translate run` and `translate upscale`: translate batches of pictures of equal size."""

import math
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from datasets.codecs.fitting import refuse_alpha
from datasets.codecs.images import Picture, choose_format, read_picture, write_picture
from datasets.codecs.picture import FramesError
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.pixels import BAND
from datasets.storage.names import encode_name
from models.contract import Domain
from translate.folders.jobs import Job, check_output_size
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.folders.pipeline import (
    Item,
    Schedule,
    Written,
    describe_change,
    fail,
    group_neighbours,
    notes_of,
)
from translate.folders.workers import LARGE
from translate.hardware import keep_random_state, memory_ran_out, seed_draws
from translate.inference.conversion import to_input, to_output
from translate.inference.model import Model
from translate.inference.monitor import Monitor
from translate.inference.precision import BatchChoice, is_flat
from translate.inference.strength import blend_pictures
from translate.inference.tiling import tile_problem, tile_side


@dataclass(frozen=True)
class ModelInput:
    """A picture as the model takes it.

    Attributes:
        picture: As it was read.
        image: (C, H, W) in [-1, 1], at the size that the model works on.
        precision: That it is to be computed with.
        tiled: It is cut into tiles, and so never part of a batch.
        domain: To translate to, as the translator takes it.
        chosen: Why the model chose that domain itself; None: it did not.
        notes: For the user.
    """

    picture: Picture
    image: Tensor
    precision: str
    tiled: bool
    domain: Domain
    chosen: str | None
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[object, ...]:
        """What pictures must have in common to be translated at once."""
        return (*self.image.shape, self.precision, self.domain)


@dataclass(frozen=True)
class ModelOutput:
    """A picture as it was read, and (C', H', W') in [-1, 1] as the model translated it."""

    picture: Picture
    output: Tensor
    precision: str
    chosen: str | None
    notes: tuple[str, ...]


InputItem = Item[Job, ModelInput]


@dataclass(frozen=True)
class Translation:
    """Reads, translates and writes the pictures of one run.

    Attributes:
        model: The model.
        options: How it is run.
        batches: Chooses how many pictures of a kind are translated at once.
        monitor: Is told how far a picture is, and interrupts it if it is asked to.
    """

    model: Model
    options: RunOptions
    batches: BatchChoice
    monitor: Monitor

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute as the model does; afterwards restore the threads, flags and random state of the process."""
        device = self.model.device
        with self.model.numerics.active(device), keep_random_state(device):
            yield

    def schedule(self, jobs: int) -> Schedule:
        """Return how a run of so many jobs is grouped, and how much of it is in memory at once."""
        threads = self.options.threads
        return Schedule(
            threads=threads,
            read_ahead=2 * max(threads, self.batches.largest),
            write_ahead=threads,
            groups=math.ceil(jobs / (self.batches.fixed or 1)),
            group=self.group,
            exclusive=self.exclusive,
            size=content_size,
        )

    def read(self, job: Job) -> ModelInput:
        """Read a picture and convert it to what the model takes.

        Raises:
            OSError: The file cannot be read.
            UserError: It is damaged, or the model cannot work on its size.
        """
        try:
            return self.prepare(job, read_picture(job.source, limit=self.options.pixel_limit))
        except FramesError as error:
            raise FramesError(f"{error}, or set `frames` to all to translate each") from None

    def prepare(self, job: Job, picture: Picture) -> ModelInput:
        """Convert a picture to what the model takes.

        Raises:
            UserError: The model cannot work on its size, or the format to be written cannot hold the result.
        """
        scale = self.model.translator.scale
        check_output_size(job, scale * picture.width, scale * picture.height, picture.depth)
        try:
            refuse_alpha(picture, choose_format(job.output, self.options.save), self.options.save)
            image = to_input(picture, self.model.translator, self.options.work_size, self.model.card.composed_on)
        except UserError as error:
            raise UserError(f"{job.name}: {error}") from None
        precision, notes = self.model.numerics.precision, tuple[str, ...]()
        if precision != "fp32" and (picture.depth == 16 or is_flat(image)):
            precision = "fp32"
            notes = () if picture.depth == 16 else ("nearly flat: computed in fp32",)
        height, width = image.shape[-2:]
        side = tile_side(self.model.translator, height, width, self.options.tile, self.options.norms)
        domain, chosen = (job.domain, None) if self.model.choose is None else self.model.choose(picture)
        return ModelInput(picture, image, precision, side is not None, domain, chosen, notes)

    def group(self, items: Iterable[InputItem]) -> Iterator[list[InputItem]]:
        """Yield batches of neighbouring pictures of one kind, of the size that was found fastest."""

        def key(item: InputItem) -> Hashable | None:
            return None if isinstance(item.content, Outcome) else item.content.kind

        def limit(item: InputItem) -> int:
            single = isinstance(item.content, Outcome) or item.content.tiled
            return 1 if single else self.batches.next(item.content.kind)

        return group_neighbours(items, key, limit)

    def exclusive(self, group: Sequence[InputItem]) -> bool:
        """Return whether a batch must be computed while no other is.

        A model that draws random numbers does, since it is seeded through torch's one generator; so does an
        accelerator, and a large batch.
        """
        pixels = sum(0 if isinstance(item.content, Outcome) else item.content.image[0].numel() for item in group)
        return self.model.translator.draws or self.model.device.type != "cpu" or pixels > LARGE

    def compute(self, group: Sequence[InputItem]) -> list[ModelOutput | Outcome]:
        """Translate a batch; where memory is not enough for it, its pictures one by one."""
        first, images = group[0], [item.content.image for item in group]
        if self.model.translator.draws:
            # The name alone decides what is drawn.
            seed_draws(derive_seed(*encode_name(first.job.name.as_posix())), self.model.device)
        started = time.perf_counter()
        outputs = None
        try:
            # No copy of a large picture, and no name that would keep a failed batch in memory.
            outputs = self._run(torch.stack(images) if len(images) > 1 else images[0][None], first)
        except (RuntimeError, MemoryError) as error:
            if not memory_ran_out(error):
                raise
        # Not within the except block: until its end, the traceback keeps all of the failed attempt in memory.
        if outputs is None and len(group) > 1:
            return [result for item in group for result in self.compute([item])]
        if outputs is None:
            return [self._fail_for_memory(first)]
        self.batches.learn(first.content.kind, len(group), time.perf_counter() - started)
        return [self._check(item, output) for item, output in zip(group, outputs, strict=True)]

    def write(self, item: Item[Job, ModelOutput]) -> Written:
        """Write a translation as the kind of file that its source is.

        Raises:
            OSError: The disk is full, or the folder cannot be written to.
            UserError: The format cannot hold it.
        """
        content = item.content
        translated = self.restore(content)
        notes = write_picture(translated, item.job.output, self.options.save)
        return self.describe(item.job, content, translated, notes)

    def restore(self, content: ModelOutput) -> Picture:
        """Return a translation as a picture like the one that was read, mixed with it as `strength` says."""
        work_size, composed_on = self.options.work_size, self.model.card.composed_on
        translated = to_output(content.output, content.picture, self.model.translator, work_size, composed_on)
        return blend_pictures(content.picture, translated, self.options.strength)

    def describe(self, job: Job, content: ModelOutput, translated: Picture, notes: Sequence[str]) -> Written:
        """Return what is told of a translation that was written with these notes."""
        record = {**describe_change(job, content.picture, translated), "precision": content.precision}
        record |= {} if content.chosen is None else {"input": content.chosen}
        record |= {} if self.options.strength == 1 else {"strength": self.options.strength}
        return Written((*content.notes, *notes_of(content.picture), *notes), record)

    def _run(self, batch: Tensor, item: InputItem) -> Tensor:
        options, content = self.options, item.content
        with self.monitor.picture(item.job.name.as_posix(), batch[:, 0].numel()) as report:
            return self.model.run(batch, content.domain, content.precision, options.tile, options.norms, report)

    def _check(self, item: InputItem, output: Tensor) -> ModelOutput | Outcome:
        """Return the output, computed again in fp32 if it holds infinities or NaNs."""
        content = item.content
        if _is_finite(output):
            return ModelOutput(content.picture, output, content.precision, content.chosen, content.notes)
        if content.precision != "fp32":
            notes = (*content.notes, f"not finite in {content.precision}: computed in fp32")
            again = replace(item, content=replace(content, precision="fp32", notes=notes))
            return self._check(again, self._run(content.image[None], again)[0])
        return fail(item.job, f"{item.job.name}: the model's output is not finite; was its training sound?")

    def _fail_for_memory(self, item: InputItem) -> Outcome:
        height, width = item.content.image.shape[-2:]
        why = tile_problem(self.model.translator) or "not even in tiles"
        reason = f"memory is not enough for {width}x{height} pixels: {why}; try a smaller `work_size`"
        return fail(item.job, f"{item.job.name}: {reason}", out_of_memory=True)


def content_size(content: ModelInput | ModelOutput) -> int:
    """Return the bytes that a picture takes in memory."""
    tensor = content.image if isinstance(content, ModelInput) else content.output
    return tensor.nbytes + content.picture.pixels.nbytes


def _is_finite(output: Tensor) -> bool:
    return all(bool(rows.isfinite().all()) for rows in torch.split(output, BAND, dim=1))  # no second large tensor
