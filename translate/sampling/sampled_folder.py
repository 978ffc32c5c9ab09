"""Make pictures from noise and write them to a folder."""

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from translate.folders.manifest import Manifest, Outcome
from translate.folders.pipeline import Item, Schedule, Written, fail, group_neighbours, run_jobs
from translate.hardware import run_within
from translate.inference.monitor import Monitor
from translate.sampling.outputs import OutputSpec, SampleOptions, SamplePlan
from translate.sampling.sampler import LoadedSampler, load_sampler
from translate.sampling.samples import plan_samples

THREADS = 2  # that encode pictures while the next batch is computed


@dataclass(frozen=True)
class Sampling:
    """Computes and writes the files of one run."""

    loaded: LoadedSampler
    batch: int

    def read(self, job: OutputSpec) -> None:
        """Read nothing: files are made from noise."""

    def group(self, items: Iterable[Item[OutputSpec, None]]) -> Iterator[list[Item[OutputSpec, None]]]:
        """Yield the items that are computed at once."""
        return group_neighbours(items, lambda item: item.job.group or item.job.name, lambda item: sys.maxsize)

    def compute(self, group: Sequence[Item[OutputSpec, None]]) -> list[Tensor | Outcome]:
        """Generate the pictures of each item, (N, C, H, W).

        Raises:
            UserError: Memory is not enough for the batch.
        """
        latents = torch.cat([item.job.latents() for item in group])
        labels = torch.tensor([label for item in group for label in item.job.labels])
        images = self.loaded.generate(latents, labels, self.batch)
        parts = torch.split(images, [len(item.job.labels) for item in group])
        return [_check(item.job, part) for item, part in zip(group, parts, strict=True)]

    def write(self, item: Item[OutputSpec, Tensor]) -> Written:
        """Write the pictures of an item as its file."""
        job, names = item.job, self.loaded.sampler.domains
        notes = job.save(item.content, job.output)
        classes = [names[label] for label in dict.fromkeys(job.labels) if names]
        return Written(notes, {"classes": classes, "precision": self.loaded.numerics.precision})


def sample_folder(
    model: LoadedSampler | Path | str,
    destination: Path | str,
    count: int | None = None,
    seed: int = 0,
    *,
    grid: bool = False,
    options: SampleOptions | None = None,
    progress: bool = False,
) -> Generator[Outcome, None, None]:
    """Make pictures from noise, the same for the same seed; yield an outcome for each file, in order.

    Args:
        model: A loaded sampler, a model file or a run folder.
        destination: The folder for the files.
        count: Pictures of each class; None: 16, or 1000 if the model makes points.
        seed: Decides what is drawn.
        grid: Also write a sheet of the first pictures.
        options: How to make them; None: the defaults.
        progress: Show on stderr, or in the notebook, how it proceeds.

    Raises:
        ModelError: There is no such model, or it makes nothing from noise.
        UserError: There is no such class, something would be overwritten, or the options do not suit the model.
    """
    loaded = model if isinstance(model, LoadedSampler) else load_sampler(model)
    plan = plan_samples(loaded, Path(destination), count, seed, grid, options or SampleOptions())
    if not progress:
        return run_samples(loaded, plan)
    from translate.folders.display import show_outcomes  # rich draws from the random numbers of the process

    monitor = Monitor()
    return show_outcomes(run_samples(loaded, plan, monitor), len(plan.outputs), monitor)


def run_samples(
    loaded: LoadedSampler, plan: SamplePlan, monitor: Monitor | None = None
) -> Generator[Outcome, None, None]:
    """Make the files of a plan; yield an outcome for each, in order.

    Raises:
        UserError: Memory is not enough for a batch.
    """
    options = plan.options
    facts = {"batch": options.batch, "precision": loaded.numerics.precision, "save": options.save.model_dump()}
    work = Sampling(loaded, options.batch)
    schedule = Schedule(
        threads=THREADS,
        write_ahead=options.batch,
        group=work.group,
        exclusive=lambda group: True,  # a picture depends on the threads that compute it, by rounding
    )
    outcomes = run_jobs(
        plan.outputs,
        work.read,
        work.compute,
        work.write,
        manifest=Manifest(plan.destination / "manifest.jsonl", loaded.digest, facts),
        schedule=schedule,
        skip_current=options.on_exists == "skip",
        monitor=monitor,
    )
    return run_within(lambda: loaded.numerics.active(loaded.device), outcomes)


def _check(job: OutputSpec, images: Tensor) -> Tensor | Outcome:
    if images.isfinite().all():
        return images
    return fail(job, f"{job.name}: the model's output is not finite; was its training sound?")
