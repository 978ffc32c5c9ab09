"""Turn published checkpoints into model files of ours, once, and keep them in the user's cache by their hash."""

import logging
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from datasets.contract import Paired
from datasets.errors import suggest_path
from models.contract import ModelConfig
from models.cyclegan import CycleGANConfig
from models.pix2pix import Pix2PixConfig
from translate import __version__
from translate.exchange.architectures.contract import ArchitectureError, ImportOptions, Recognized
from translate.exchange.checkpoint import is_safetensors, read_checkpoint
from translate.exchange.hub import is_address, pull_model
from translate.exchange.known import find_known
from translate.exchange.ncnn.files import find_pair, is_ncnn
from translate.exchange.ncnn.recognition import recognize_ncnn
from translate.exchange.recognition import check_complete, recognize
from translate.exchange.verification import add_probe
from translate.experiment import DATA_CONFIGS, Experiment
from translate.files import cache_folder, file_sha256
from translate.inference.model_file import (
    METADATA_KEY,
    Card,
    ModelError,
    Origin,
    build_uninitialized,
    read_card,
    save_tensors,
)

CONVERSION = 1  # raised when files that were converted before have to be converted again

LOG = logging.getLogger(__name__)


def import_model(
    path: str | Path,
    out: str | Path | None = None,
    *,
    other: str | Path | None = None,
    licence: str = "",
    source: str = "",
    domains: Sequence[str] = (),
    statistics: str = "picture",
) -> Path:
    """Turn a published checkpoint into a model file, and return the model file's path.

    Its architecture is found out from the names and shapes of its tensors. Nothing in the file is executed.

    Args:
        path: The checkpoint: torch's (`.pth`, `.pt`, `.ckpt`, `.bin`), safetensors, or the `.param` or `.bin` of an
            ncnn model, of which the other lies beside it.
        out: The model file to write; None: one in the user's cache, which the checkpoint stands for from then on
            wherever a model is named.
        other: The checkpoint that translates back, from the second of two `domains` to the first: one model of both.
        licence: SPDX identifier of the weights' licence, which the checkpoint does not state; empty: that of the known
            checkpoint with its hash, else unknown.
        source: Where the checkpoint comes from, such as a URL; empty: as for `licence`.
        domains: Names of what it translates to, where its weights hold several.
        statistics: Of batch norms: "picture", as the authors of pix2pix and StarGAN test, or "training".

    Raises:
        ModelError: The file is no checkpoint of a known architecture, is not complete, or holds more than weights.
        UserError: It cannot be written, or an option is not allowed.
    """
    options = ImportOptions(domains=tuple(domains), statistics=statistics)
    path, target = Path(path), None if out is None else Path(out)
    files = [path] if other is None else [path, Path(other)]
    for file in files:
        _check_foreign(file)
    found = _recognize(path, options)
    if other is not None:
        found = _join(found, _recognize(Path(other), options), options.domains, path)
    card = _make_card(found, files, licence, source)
    network = build_uninitialized(card)
    try:
        check_complete(found, network.state_dict())
    except ArchitectureError as error:
        raise ModelError(f"{path}: {error}") from None
    if options.domains and not network.domains:
        raise ModelError(f"{path}: translates one way only, so it has no `domains`; leave them out")
    target = target or _cached(*files)
    target.parent.mkdir(parents=True, exist_ok=True)
    card = card.model_copy(update={"domains": network.domains})
    network.load_state_dict(found.tensors, assign=True)  # without a copy, which a second network would be
    save_tensors(target, found.tensors, add_probe(card, network.float().eval().requires_grad_(False)))
    return target


def _make_card(found: Recognized, files: Sequence[Path], licence: str, source: str) -> Card:
    """Return the description of what was recognized in these files; what is not said of a known one is looked up."""
    weights = [_files_of(file)[0] for file in files]
    hashes = [file_sha256(file) for file in weights]
    known = find_known(hashes[0])
    if known is not None:
        licence, source = licence or known.licence, source or known.where
    name, sha256 = " and ".join(file.name for file in weights), " and ".join(hashes)
    return Card(
        experiment=_experiment_of(found.model),
        step=0,
        trained_size=found.trained_size,
        licence=licence,
        origin=Origin(file=name, sha256=sha256, architecture=found.description, source=source),
        written_by=f"translate {__version__}",
    )


def resolve_model(model: str | Path) -> str | Path:
    """Return what loads a model: `model` itself or, if it is a published checkpoint, the model file made from it.

    A checkpoint is converted when it is first used, and found by its hash from then on. Of an address on the Hub, the
    file is fetched; see `translate.exchange.hub`.

    Raises:
        ModelError: It is a file that is neither a model file nor a checkpoint that can be imported.
        UserError: The user's cache cannot be written.
    """
    source = str(model) if is_address(model) else ""
    if source:
        model = pull_model(source)
    path = Path(model)
    if not path.is_file() or is_model_file(path):
        return model
    cached = _cached(path)
    if cached.is_file():
        return cached
    import_model(path, source=source)
    origin = read_card(cached).origin
    LOG.info(
        "%s is %s; it was converted once and is kept in %s",
        path.name,
        "unknown" if origin is None else origin.architecture,
        cached.parent,
    )
    return cached


def imported_models() -> list[Path]:
    """Return the model files in the user's cache that were made from checkpoints."""
    return sorted(_folder().glob(f"*-{CONVERSION}.safetensors"))


def _check_foreign(path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file{suggest_path(path)}")
    if is_model_file(path):
        raise ModelError(f"{path}: is a model file already, and needs no import")


def _join(there: Recognized, back: Recognized, domains: tuple[str, ...], path: Path) -> Recognized:
    """Return two translators, from the first domain to the second and back, as one model."""
    if len(domains) != 2:
        raise ModelError(f"{path}: of two files, `domains` needs two names: what the first translates from, and to")
    one, two = there.model, back.model
    if not isinstance(one, Pix2PixConfig) or not isinstance(two, Pix2PixConfig) or one != two:
        raise ModelError(
            f"{path}: is {there.description} and the other {back.description}; expected two of one size, of the kind "
            "of CycleGAN or pix2pix"
        )
    if one.channels_in != one.channels_out:
        raise ModelError(f"{path}: changes the number of channels, so nothing can translate back in the same model")
    config = CycleGANConfig(channels=one.channels_in, domains=domains, generator=one.generator)
    tensors = {name.replace("generator.", "to_b.", 1): tensor for name, tensor in there.tensors.items()}
    tensors |= {name.replace("generator.", "to_a.", 1): tensor for name, tensor in back.tensors.items()}
    return Recognized(config, tensors, f"{there.description}, both ways", there.trained_size)


def _recognize(path: Path, options: ImportOptions) -> Recognized:
    if is_ncnn(path):
        return recognize_ncnn(path)
    tensors = read_checkpoint(path)
    try:
        return recognize(tensors, options)
    except ArchitectureError as error:
        raise ModelError(f"{path}: {error}") from None


def _experiment_of(model: ModelConfig) -> Experiment:
    """Return an experiment with the model, and with data of the kind that it learns from, in their default settings."""
    expected, scale = model.expects, model.output_scale
    kinds = [kind for kind in DATA_CONFIGS if kind.batch_type is model.batch_type]
    if model.batch_type is Paired:
        data = {
            "kind": "paired",
            "source_channels": expected["channels_in"],
            "target_channels": expected["channels_out"],
        }
        if scale > 1:
            data = {"kind": "super-resolution", "scale": scale}
    else:
        data = {"kind": kinds[0].model_fields["kind"].default}
        data |= {"picture_channels": expected["channels"]} if "channels" in expected else {}
    return Experiment.model_validate({"model": model.model_dump(), "data": data})


def is_model_file(path: Path) -> bool:
    """Return whether a file is a model file, as far as can be told without reading it whole."""
    if not is_safetensors(path):
        return path.suffix == ".safetensors"  # damaged, which is said where it is read
    try:
        with safe_open(path, "pt") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return True


def _folder() -> Path:
    return cache_folder() / "imported"


def _files_of(path: Path) -> tuple[Path, ...]:
    """Return the files of a checkpoint, that with the weights first."""
    return find_pair(path)[::-1] if is_ncnn(path) else (path,)


def _cached(*paths: Path) -> Path:
    """Return the file in the cache that stands for checkpoints, whether it is there or not."""
    digests = "-".join(file_sha256(file)[:16] for path in paths for file in _files_of(path))
    return _folder() / f"{digests}-{CONVERSION}.safetensors"
