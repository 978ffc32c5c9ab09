"""A folder of good pictures into a folder of degraded ones, as inputs to try a model on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from datasets.codecs.images import read_picture, write_picture
from datasets.contract import derive_seed
from datasets.degradations.degrade import DegradationName, check_strength, degrade
from datasets.errors import UserError
from datasets.pixels import drop_alpha, to_floats, to_pixels, to_tensor
from datasets.storage.threads import ordered_map
from translate.folders.plan import Job, RunOptions, find_jobs


def degrade_folder(
    source: Path, destination: Path, name: DegradationName, strength: float | None = None, seed: int = 0
) -> Iterator[str | None]:
    """Degrade every picture under `source` into `destination`; yield what went wrong with each, or None.

    What a picture's noise draws depends on `seed` and the picture's name alone.

    Raises:
        UserError: There are no pictures, or something would be overwritten.
    """
    check_strength(name, strength)
    jobs, _ = find_jobs(source, destination, RunOptions())

    def one(job: Job) -> str | None:
        try:
            if job.unreadable:
                return f"{job.name}: {job.unreadable} cannot be read"
            picture = read_picture(job.source)
            draws = derive_seed(seed, *job.name.as_posix().encode())
            made = degrade(to_floats(drop_alpha(picture)), name, strength, draws)
            job.output.parent.mkdir(parents=True, exist_ok=True)
            write_picture(replace(picture, pixels=to_pixels(to_tensor(made), picture.depth)), job.output)
        except OSError as error:
            return f"{job.name}: {error.strerror or error}"
        except UserError as error:
            return str(error)
        return None

    return ordered_map(one, jobs, threads=2, ahead=4)
