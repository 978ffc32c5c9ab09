"""Enlarge a picture or a tree of pictures, with a model that ships or with one of the user's own."""

from collections.abc import Generator
from pathlib import Path

from translate.folders.inputs import Source
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.inference.model import Model
from translate.inference.upscaling import check_upscaler, load_upscaler


def upscale_folder(
    source: Source,
    destination: Path | str,
    scale: int | None = None,
    model: Model | Path | str | None = None,
    options: RunOptions | None = None,
    *,
    progress: bool = False,
) -> Generator[Outcome, None, None]:
    """Enlarge a picture or a tree of pictures; yield an outcome for each, in order.

    Args:
        source: A picture, a folder of pictures, or several of both.
        destination: A folder, or a file for a single picture.
        scale: How many times larger on each side; None: as the model enlarges, and 4 for those that ship.
        model: An upscaler, or where it is; None: the one that ships for this scale.
        options: How to run it; None: the defaults.
        progress: Show on stderr, or in the notebook, how it proceeds.

    Raises:
        NothingFoundError: There are no pictures.
        UserError: No such upscaler ships, the model does not enlarge so much, or the plan cannot be carried out.
    """
    upscaler = check_upscaler(model, scale) if isinstance(model, Model) else load_upscaler(scale, model=model)
    return translate_folder(upscaler, source, destination, options, progress=progress)
