"""Translate a picture or a tree of pictures."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from translate.folders.frames import FrameTranslation
from translate.folders.inputs import Source
from translate.folders.jobs import describe_saving
from translate.folders.manifest import Manifest, Outcome
from translate.folders.options import RunOptions
from translate.folders.pipeline import run_jobs
from translate.folders.plan import Plan, make_plan
from translate.folders.translation import Translation
from translate.hardware import run_within
from translate.inference.model import Model, load_model
from translate.inference.monitor import Monitor
from translate.inference.precision import BatchChoice


def translate_folder(
    model: Model | Path | str,
    source: Source,
    destination: Path | str,
    options: RunOptions | None = None,
    *,
    progress: bool = False,
) -> Generator[Outcome, None, None]:
    """Translate a picture or a tree of pictures; yield an outcome for each, in order.

    Nothing is written before the whole plan is checked. A picture that fails is an outcome and does not end the run.
    Every file written is complete, and has the same path within `destination` as its source within `source`.

    Args:
        model: A loaded model, a model file, a run folder, or the name of a model that ships.
        source: A picture, a folder of pictures, or several of both.
        destination: A folder, or a file for a single picture.
        options: How to run the model; None: the defaults.
        progress: Show on stderr, or in the notebook, how it proceeds.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: The plan cannot be carried out without harm.
    """
    chosen = options or RunOptions()
    model = model if isinstance(model, Model) else load_model(model)
    plan = make_plan(model.translator, model.card.scaled_to, source, Path(destination), chosen)
    if not progress:
        return run_plan(model, plan, chosen)
    from translate.folders.display import show_outcomes  # rich draws from the random numbers of the process

    monitor = Monitor()
    return show_outcomes(run_plan(model, plan, chosen, monitor), len(plan.jobs), monitor)


def run_plan(
    model: Model, plan: Plan, options: RunOptions, monitor: Monitor | None = None
) -> Generator[Outcome, None, None]:
    """Translate the pictures of a plan; yield an outcome for each, in order."""
    monitor = monitor or Monitor()
    # Only what changes a picture counts: after a run with another batch or limit a file is still up to date. The domain
    # is in each picture's own line.
    precision = model.numerics.precision
    facts: dict[str, Any] = {"work_size": options.work_size, "norms": options.norms, "precision": precision}
    facts |= {"frames": "all"} if options.frames == "all" else {}
    facts |= {"strength": options.strength} if options.strength != 1 else {}
    manifest = Manifest(plan.manifest, model.digest, facts, lambda job: {"save": describe_saving(job, options.save)})
    batches = BatchChoice(1 if model.translator.draws else options.batch, len(plan.jobs))
    pictures = Translation(model, options, batches, monitor)
    work = FrameTranslation(pictures) if options.frames == "all" else pictures
    outcomes = run_jobs(
        plan.jobs,
        work.read,
        work.compute,
        work.write,
        manifest=manifest,
        schedule=work.schedule(len(plan.jobs)),
        skip_current=options.on_exists == "skip",
        limit=options.limit if options.on_exists == "skip" else None,
        monitor=monitor,
    )
    return run_within(pictures.computing, outcomes)
