"""Translate between kinds of pictures: train models, run them over folders, enlarge, fill holes.

>>> import translate
>>> model = translate.load_model("runs/restore")  # doctest: +SKIP
>>> restored = model(picture)  # doctest: +SKIP

Importing this package imports nothing else: each name below is looked up when it is first used, since torch alone takes
seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers; a test compares them with the table
    from datasets.codecs.images import Picture as Picture
    from datasets.codecs.images import PictureError as PictureError
    from datasets.codecs.images import SaveOptions as SaveOptions
    from datasets.codecs.images import read_picture as read_picture
    from datasets.codecs.images import write_picture as write_picture
    from datasets.codecs.picture import FramesError as FramesError
    from datasets.errors import DataError as DataError
    from datasets.errors import OptionError as OptionError
    from datasets.errors import UserError as UserError
    from datasets.masks.reading import PhotographError as PhotographError
    from models.contract import DomainError as DomainError
    from translate.exchange.exporting.export import export_model as export_model
    from translate.exchange.exporting.verification import VerificationError as VerificationError
    from translate.exchange.hub import pull_model as pull_model
    from translate.exchange.importing import import_model as import_model
    from translate.experiment import Experiment as Experiment
    from translate.experiment import load_experiment as load_experiment
    from translate.folders.jobs import NothingFoundError as NothingFoundError
    from translate.folders.manifest import Outcome as Outcome
    from translate.folders.options import RunOptions as RunOptions
    from translate.folders.translated_folder import translate_folder as translate_folder
    from translate.folders.upscaled_folder import upscale_folder as upscale_folder
    from translate.inference.model import Model as Model
    from translate.inference.model import load_model as load_model
    from translate.inference.model_file import ModelError as ModelError
    from translate.inference.upscaling import upscale as upscale
    from translate.inpainting.in_memory import inpaint as inpaint
    from translate.inpainting.inpainters import OutOfMemoryError as OutOfMemoryError
    from translate.inpainting.masked_folder import inpaint_folder as inpaint_folder
    from translate.inpainting.plan import MaskOptions as MaskOptions
    from translate.run_folder import ResumeError as ResumeError
    from translate.sampling.outputs import SampleOptions as SampleOptions
    from translate.sampling.sampled_folder import sample_folder as sample_folder
    from translate.sampling.sampler import LoadedSampler as LoadedSampler
    from translate.sampling.sampler import load_sampler as load_sampler
    from translate.training.checkpoints import DivergedError as DivergedError
    from translate.training.progress import Progress as Progress
    from translate.training.session import train as train

__version__ = "0.2.0"

# The public names, and the modules that they are in.
_MODULES = {
    "DataError": "datasets.errors",
    "DivergedError": "translate.training.checkpoints",
    "DomainError": "models.contract",
    "Experiment": "translate.experiment",
    "FramesError": "datasets.codecs.picture",
    "LoadedSampler": "translate.sampling.sampler",
    "MaskOptions": "translate.inpainting.plan",
    "Model": "translate.inference.model",
    "ModelError": "translate.inference.model_file",
    "NothingFoundError": "translate.folders.jobs",
    "OptionError": "datasets.errors",
    "OutOfMemoryError": "translate.inpainting.inpainters",
    "Outcome": "translate.folders.manifest",
    "PhotographError": "datasets.masks.reading",
    "Picture": "datasets.codecs.images",
    "PictureError": "datasets.codecs.images",
    "Progress": "translate.training.progress",
    "ResumeError": "translate.run_folder",
    "RunOptions": "translate.folders.options",
    "SampleOptions": "translate.sampling.outputs",
    "SaveOptions": "datasets.codecs.images",
    "UserError": "datasets.errors",
    "VerificationError": "translate.exchange.exporting.verification",
    "export_model": "translate.exchange.exporting.export",
    "import_model": "translate.exchange.importing",
    "inpaint": "translate.inpainting.in_memory",
    "inpaint_folder": "translate.inpainting.masked_folder",
    "load_experiment": "translate.experiment",
    "load_model": "translate.inference.model",
    "load_sampler": "translate.sampling.sampler",
    "pull_model": "translate.exchange.hub",
    "read_picture": "datasets.codecs.images",
    "sample_folder": "translate.sampling.sampled_folder",
    "train": "translate.training.session",
    "translate_folder": "translate.folders.translated_folder",
    "upscale": "translate.inference.upscaling",
    "upscale_folder": "translate.folders.upscaled_folder",
    "write_picture": "datasets.codecs.images",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
