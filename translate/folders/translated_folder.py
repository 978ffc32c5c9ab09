"""The folder pipeline: decode, translate, encode, all three at once, one outcome a picture."""

import functools
import hashlib
import itertools
import json
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from datasets.codecs.images import write_picture
from datasets.contract import derive_seed
from datasets.errors import UserError
from datasets.pixels import BAND
from datasets.storage.threads import ordered_map
from translate.folders.manifest import Manifest, Outcome
from translate.folders.plan import Job, Plan, RunOptions, make_plan
from translate.folders.steps import Input, fail, read_input, write_output
from translate.folders.workers import LARGE, map_on_workers
from translate.hardware import memory_ran_out
from translate.inference.conversion import to_input, to_output
from translate.inference.model import Model, load_model
from translate.inference.precision import BatchChoice, is_flat
from translate.inference.tiling import tile_problem, tile_side

__all__ = ["Outcome", "RunOptions", "run_plan", "translate_folder"]


@dataclass(frozen=True)
class _Item:
    """A picture on its way: read, then translated, or with the outcome it already has."""

    job: Job
    given: Input | None = None
    image: Tensor | None = None
    precision: str = "fp32"
    output: Tensor | None = None
    notes: tuple[str, ...] = ()
    outcome: Outcome | None = None
    tiled: bool = False  # too large for a batch

    @property
    def kind(self) -> tuple[object, ...] | None:
        """What pictures must share to be translated at once; None where there is nothing to translate."""
        return None if self.image is None else (*self.image.shape, self.precision)


def translate_folder(
    model: Model | Path | str, source: Path | str, destination: Path | str, options: RunOptions | None = None
) -> Generator[Outcome, None, None]:
    """Translate a picture or a tree of pictures; yield an outcome for each, in order.

    Nothing is written before the whole plan is found good. A picture that fails is an outcome and
    not the end. Every file written is whole, and stands at the same path within `destination`.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: The plan cannot be carried out without harm.
    """
    chosen = options or RunOptions()
    model = model if isinstance(model, Model) else load_model(model)
    plan = make_plan(model.translator, model.card.scaled_to, Path(source), Path(destination), chosen)
    return run_plan(model, plan, chosen)


def run_plan(model: Model, plan: Plan, options: RunOptions) -> Generator[Outcome, None, None]:
    """Carry out a plan."""
    manifest = Manifest(plan.manifest, {"model": model.digest, "options": _digest(options, model)})
    draws = model.translator.draws
    choice = BatchChoice(1 if draws else options.batch, len(plan.jobs))
    read = functools.partial(_read, model, manifest, options)
    translate = functools.partial(_translate, model, choice, options)
    finish = functools.partial(_finish, model, options, manifest)

    def alone(group: Sequence[_Item]) -> bool:
        # Whoever draws needs the common seed, and an accelerator has one lane.
        return draws or model.device.type != "cpu" or sum(map(_pixels, group)) > LARGE

    ahead = max(2 * options.threads, 2 * choice.largest)
    items = ordered_map(read, plan.jobs, options.threads, ahead, size=_bytes)
    count = math.ceil(len(plan.jobs) / (choice.fixed or 1))
    groups = map_on_workers(translate, _equal_groups(items, choice), count=count, alone=alone, size=_bytes_of_all)
    with closing(items), closing(groups):
        for outcome in ordered_map(finish, itertools.chain.from_iterable(groups), options.threads, options.threads):
            yield manifest.keep(outcome)


def _pixels(item: _Item) -> int:
    return 0 if item.image is None else item.image[0].numel()


def _bytes(item: _Item) -> int:
    """What an item holds of memory, about."""
    tensors = [tensor for tensor in (item.image, item.output) if tensor is not None]
    return sum(tensor.nbytes for tensor in tensors) + (0 if item.given is None else item.given.picture.pixels.nbytes)


def _bytes_of_all(group: Sequence[_Item]) -> int:
    return sum(map(_bytes, group))


def _digest(options: RunOptions, model: Model) -> str:
    # Only what changes a picture counts: with another batch or limit a file is still up to date.
    # What is aimed for stands in each picture's own line.
    told = {"work_size": options.work_size, "norms": options.norms, "save": options.save.model_dump()}
    text = json.dumps({**told, "precision": model.numerics.precision}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(model: Model, manifest: Manifest, options: RunOptions, job: Job) -> _Item:
    given = read_input(job, manifest, options)
    if isinstance(given, Outcome):
        return _Item(job, outcome=given)
    picture = given.picture
    try:
        image = to_input(picture, model.translator, options.work_size)
    except UserError as error:
        return _Item(job, outcome=fail(job, f"{job.name}: {error}"))
    precision, notes = model.numerics.precision, tuple[str, ...]()
    if precision != "fp32" and (picture.depth == 16 or is_flat(image)):
        precision = "fp32"
        notes = () if picture.depth == 16 else ("nearly flat: computed in fp32",)
    height, width = image.shape[-2:]
    tiled = tile_side(model.translator, height, width, options.tile, options.norms) is not None
    return _Item(job, given, image, precision, notes=notes, tiled=tiled)


def _equal_groups(items: Iterable[_Item], choice: BatchChoice) -> Iterator[list[_Item]]:
    """Neighbours of one kind, as many at once as was found best; what has an outcome already goes alone."""
    group: list[_Item] = []
    size = 1
    for item in items:
        if group and (
            len(group) == size
            or item.kind is None
            or (group[0].kind, group[0].job.domain) != (item.kind, item.job.domain)
        ):
            yield group
            group = []
        if not group:
            size = 1 if item.kind is None or item.tiled else choice.next(item.kind)
        group.append(item)
    if group:
        yield group


def _translate(model: Model, choice: BatchChoice, options: RunOptions, group: Sequence[_Item]) -> list[_Item]:
    """The group with its outputs, or with outcomes where there can be none."""
    kind, images = group[0].kind, [item.image for item in group if item.image is not None]
    if kind is None:
        return list(group)
    if model.translator.draws:
        torch.manual_seed(derive_seed(*group[0].job.name.as_posix().encode()))  # one picture, one result
    began = time.perf_counter()
    try:
        batch = torch.stack(images) if len(images) > 1 else images[0][None]  # of a large one no copy
        outputs = model.run(batch, group[0].job.domain, group[0].precision, options.tile, options.norms)
    except (RuntimeError, MemoryError) as error:
        if not memory_ran_out(error):
            raise
        if len(group) > 1:
            return [result for item in group for result in _translate(model, choice, options, [item])]
        height, width = images[0].shape[-2:]
        why = tile_problem(model.translator) or "not even in tiles"
        reason = f"{group[0].job.name}: memory is not enough for {width}x{height} pixels: {why}; try a --work-size"
        return [_Item(group[0].job, outcome=fail(group[0].job, reason, out_of_memory=True))]
    choice.learn(kind, len(group), time.perf_counter() - began)
    return [_checked(model, replace(item, output=output), options) for item, output in zip(group, outputs, strict=True)]


def _checked(model: Model, item: _Item, options: RunOptions) -> _Item:
    """The item, computed again in fp32 where its output holds infinities or no numbers."""
    if item.output is None or item.image is None or _finite(item.output):
        return replace(item, image=None)
    if item.precision != "fp32":
        output = model.run(item.image[None], item.job.domain, "fp32", options.tile, options.norms)[0]
        notes = (*item.notes, f"no numbers in {item.precision}: computed in fp32")
        return _checked(model, replace(item, output=output, precision="fp32", notes=notes), options)
    reason = f"{item.job.name}: the model gives values that are no numbers; was its training sound?"
    return _Item(item.job, outcome=fail(item.job, reason))


def _finite(output: Tensor) -> bool:
    return all(bool(rows.isfinite().all()) for rows in torch.split(output, BAND, dim=1))


def _finish(model: Model, options: RunOptions, manifest: Manifest, item: _Item) -> Outcome:
    if item.outcome is not None or item.given is None or item.output is None:
        return item.outcome or fail(item.job, f"{item.job.name}: was not translated")
    made = to_output(item.output, item.given.picture, model.translator, options.work_size)

    def put() -> tuple[str, ...]:
        return write_picture(made, item.job.output, options.save)

    return write_output(item.given, made, put, manifest, record={"precision": item.precision}, notes=item.notes)
