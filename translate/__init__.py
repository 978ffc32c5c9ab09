"""Translate between kinds of pictures: train translators, run them over folders.

>>> import translate
>>> picture = translate.load_model("run/best.safetensors")(picture)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from translate.folders.translated_folder import RunOptions, translate_folder
    from translate.inference.model import Model, load_model
    from translate.inpainting.masked_folder import MaskOptions, inpaint_folder
    from translate.sampling.sampler import LoadedSampler, load_sampler

__version__ = "0.1.0"
__all__ = [
    "LoadedSampler",
    "MaskOptions",
    "Model",
    "RunOptions",
    "__version__",
    "inpaint_folder",
    "load_model",
    "load_sampler",
    "translate_folder",
]


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; `translate --help` must not wait for it.
    if name in ("load_model", "Model"):
        from translate.inference import model

        return getattr(model, name)
    if name in ("load_sampler", "LoadedSampler"):
        from translate.sampling import sampler as sampling

        return getattr(sampling, name)
    if name in ("translate_folder", "RunOptions"):
        from translate.folders import translated_folder as folder

        return getattr(folder, name)
    if name in ("inpaint_folder", "MaskOptions"):
        from translate.inpainting import masked_folder

        return getattr(masked_folder, name)
    raise AttributeError(f"module 'translate' has no attribute {name!r}")
