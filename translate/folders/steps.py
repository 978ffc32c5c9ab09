"""The two ends of a picture's way through any verb that goes from folder to folder: it is read, and it is written."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasets.codecs.images import Picture, read_picture
from datasets.errors import UserError
from translate.files import file_digest
from translate.folders.manifest import Manifest, Outcome
from translate.folders.plan import Job, RunOptions


@dataclass(frozen=True)
class Input:
    """A picture that was read, to make something of.

    Attributes:
        job: Its way.
        picture: It.
        digest: Of all files that its result is made from.
        began: When, on the monotonic clock.
    """

    job: Job
    picture: Picture
    digest: str
    began: float


def source_digest(job: Job) -> str:
    """Of the picture's file."""
    return file_digest(job.source)


def fail(job: Job, reason: str, *, out_of_memory: bool = False) -> Outcome:
    """The outcome of a picture that nothing could be made of."""
    return Outcome(job.name, job.output, "failed", reason, out_of_memory=out_of_memory)


def read_input(
    job: Job, manifest: Manifest, options: RunOptions, identify: Callable[[Job], str] = source_digest
) -> Input | Outcome:
    """The picture of a job, or what became of it already: it is up to date, in the way, or cannot be read.

    `identify` gives the digest of all files that the result is made from.
    """
    began = time.monotonic()
    try:
        if job.unreadable:
            remedy = "; convert it to PNG, TIFF or JPEG first" if job.source.is_file() else ""
            raise UserError(f"{job.name}: {job.unreadable} cannot be read{remedy}")
        digest = identify(job)
        if options.on_exists == "skip" and job.output.exists():
            if manifest.is_current(job, digest):
                return Outcome(job.name, job.output, "skipped", "is up to date")
            raise UserError(
                f"{job.output}: exists and was not made from this file by this model with these options; "
                "choose another place, or --on-exists overwrite"
            )
        return Input(job, read_picture(job.source, limit=options.pixel_limit), digest, began)
    except OSError as error:
        return fail(job, f"{job.name}: cannot be read: {error.strerror or error}")
    except UserError as error:
        return fail(job, str(error))


def write_output(
    given: Input,
    made: Picture,
    put: Callable[[], tuple[str, ...]],
    manifest: Manifest,
    *,
    record: dict[str, Any],
    notes: tuple[str, ...] = (),
) -> Outcome:
    """Have `put` write what was made and tell notes; `record` joins what the manifest says of the picture."""
    job, origin = given.job, given.picture.origin
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        manifest.begin(job, given.digest)
        written = put()
    except OSError as error:
        return fail(job, f"{job.output}: cannot be written: {error.strerror or error}")
    except UserError as error:
        return fail(job, str(error))
    told = {
        "source": given.digest,
        "to": job.to,
        "in": _described(given.picture),
        "out": _described(made),
        **record,
        "ms": round(1000 * (time.monotonic() - given.began)),
    }
    read_notes = () if origin is None else origin.notes
    return Outcome(job.name, job.output, "ok", notes=(*notes, *read_notes, *written), record=told)


def _described(picture: Picture) -> dict[str, Any]:
    return {
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "depth": picture.depth,
        "alpha": picture.alpha is not None,
    }
