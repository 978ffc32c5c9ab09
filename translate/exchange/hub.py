"""Models on the Hugging Face Hub: fetch their files, and publish models of ours.

Addresses are `hf://OWNER/NAME[@REVISION][:FILE]`. What was fetched is kept in a folder of its own within the user's
cache, laid out as the Hub's client lays out its cache, and is found there without a network. `HF_ENDPOINT`, `HF_TOKEN`
and `HF_HUB_OFFLINE` mean what they mean to that client.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from datasets.errors import UserError, suggest
from translate.files import cache_folder
from translate.inference.model_file import ModelError

PREFIX = "hf://"
PAGES = "https://huggingface.co/"  # which people paste; a message tells them the address
MODEL_NAME = "model.safetensors"  # of the model file in a repository that `push` fills
# Of files that a model can be read or imported from, in the order in which they are looked for.
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".param")
SHOWN = 8  # files that a message names at most
_PART = r"[A-Za-z0-9][\w.-]*"
_ADDRESS = re.compile(rf"hf://({_PART}/{_PART})(?:@([^:\s]+))?(?::(\S[^\n]*))?")


@dataclass(frozen=True)
class HubAddress:
    """Where a model is on the Hub.

    Attributes:
        repository: Its owner and name, with a slash between them.
        revision: A branch, a tag or a commit; None: the main branch.
        file: Its path in the repository; None: the only model file in it.
    """

    repository: str
    revision: str | None = None
    file: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubAddress":
        """Return the address that a text holds.

        Raises:
            UserError: It is none.
        """
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise UserError(f"{text}: expected hf://OWNER/NAME, hf://OWNER/NAME@REVISION or hf://OWNER/NAME:FILE")
        repository, revision, file = found.groups()
        if file is not None and (file.startswith("/") or ".." in file.split("/")):
            raise UserError(f"{text}: {file} is no path within a repository")
        return cls(repository, revision, file)

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{PREFIX}{self.repository}{revision}{'' if self.file is None else f':{self.file}'}"


def is_address(model: str | Path) -> bool:
    """Return whether a model is named by an address on the Hub."""
    return str(model).startswith((PREFIX, PAGES))


def pull_model(address: str | HubAddress) -> Path:
    """Fetch a model from the Hub, unless the newest version is there already; return its file in the user's cache.

    Without a network, or with `HF_HUB_OFFLINE=1`, what was fetched before is returned.

    Raises:
        ModelError: There is no such repository, revision or file, or it may not be read, or the Hub cannot be reached
            and the file was not fetched before.
        UserError: The address is none, the Hub's client is not installed, or the file cannot be written.
    """
    wanted = address if isinstance(address, HubAddress) else HubAddress.parse(address)
    hub = load_client()
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    with explain_errors(hub, wanted, lambda: _list_files(api, wanted)):
        name = wanted.file or _choose_file(api, hub, wanted)
        path = _fetch(api, wanted, name)
        if name.endswith(".param"):  # ncnn's networks have their weights beside them
            _fetch(api, wanted, f"{name.removesuffix('.param')}.bin")
    return path


def pulled_models() -> Mapping[HubAddress, Path]:
    """Return what `pull_model` has fetched, by addresses with commits, and where it is."""
    pulled = {}
    for commit in sorted(_folder().glob("models--*--*/snapshots/*")):
        owner, _, name = commit.parts[-3].removeprefix("models--").partition("--")
        for path in sorted(commit.rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                file = path.relative_to(commit).as_posix()
                pulled[HubAddress(f"{owner}/{name}", commit.name, file)] = path
    return pulled


def load_client() -> ModuleType:
    """Return the Hub's client.

    Raises:
        UserError: It is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            "the Hub is reached by huggingface_hub, which is not installed: pip install 'translate-images[hub]'"
        ) from None
    module: ModuleType = huggingface_hub
    return module


@contextmanager
def explain_errors(hub: ModuleType, address: HubAddress, list_files: Any = tuple) -> Iterator[None]:
    """Turn the errors of the Hub's client into sentences, none of which holds a token.

    Args:
        hub: The client.
        address: What was asked for.
        list_files: Returns the names of the files in the repository.
    """
    errors = hub.errors
    token = hub.get_token() is not None
    try:
        with _unwrap_errors():
            yield
    except errors.GatedRepoError:
        raise ModelError(
            f"{address}: its owner gives access on request: ask for it on the repository's page"
            + ("" if token else ", then log in with `hf auth login`, or set HF_TOKEN")
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{address}: the repository has no revision {address.revision or 'main'}") from None
    except errors.RepositoryNotFoundError:
        hidden = (
            "this login may not read it" if token else "it is private: log in with `hf auth login`, or set HF_TOKEN"
        )
        raise ModelError(f"{address}: there is no such repository, or {hidden}") from None
    except errors.RemoteEntryNotFoundError:
        raise ModelError(f"{address}: {_describe_missing(address.file or MODEL_NAME, list_files)}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ModelError(f"{address}: {_describe_absence(error, errors)}, and it was not pulled before") from None
    except errors.HfHubHTTPError as error:
        raise ModelError(f"{address}: {_describe_status(error.response.status_code, token)}") from None
    except errors.HFValidationError:
        raise UserError(f"{address}: is no name that the Hub allows") from None
    except UserError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests"):  # by the client's version
            reason = "the Hub cannot be reached; check the network, and HF_ENDPOINT if it is set"
            raise ModelError(f"{address}: {reason}") from None
        if isinstance(error, OSError):
            raise UserError(f"{address}: cannot be kept: {error.strerror or 'the disk is full or failed'}") from None
        raise


@contextmanager
def _unwrap_errors() -> Iterator[None]:
    """Raise in place of an error during an upload, which the client wraps, the one that it was caused by."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error.__cause__, Exception):
            raise
        raise error.__cause__ from None


def _fetch(api: Any, address: HubAddress, name: str) -> Path:
    return Path(api.hf_hub_download(address.repository, name, revision=address.revision, cache_dir=_folder()))


def _list_files(api: Any, address: HubAddress) -> Sequence[str]:
    siblings = api.model_info(address.repository, revision=address.revision).siblings or ()
    return [sibling.rfilename for sibling in siblings]


def _choose_file(api: Any, hub: ModuleType, address: HubAddress) -> str:
    """Return the name of the model file in a repository.

    Raises:
        ModelError: There is none, or several.
    """
    try:
        files = _list_files(api, address)
    except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError):
        raise
    except Exception:
        files = _list_fetched(address)
        if not files:
            raise
    found = [name for name in files if Path(name).suffix in SUFFIXES]
    if MODEL_NAME in found:
        return MODEL_NAME
    # Of files that differ in their suffix alone the first is taken: they hold the same weights, or ncnn's two halves.
    stems = {str(Path(name).with_suffix("")) for name in found}
    if len(stems) == 1:
        kinds = {Path(name).suffix: name for name in found}
        ncnn = {".param", ".bin"} <= kinds.keys()
        return kinds[".param"] if ncnn else min(found, key=lambda name: SUFFIXES.index(Path(name).suffix))
    if not found:
        raise ModelError(f"{address}: the repository has no file that could be a model; it has {_name_some(files)}")
    raise ModelError(
        f"{address}: has several models; add one after a colon, as in {address}:{found[0]}: it has {_name_some(found)}"
    )


def _list_fetched(address: HubAddress) -> Sequence[str]:
    """Return the files of a repository that were fetched before, of the revision that was asked for."""
    folder = _folder() / f"models--{address.repository.replace('/', '--')}"
    reference = folder / "refs" / (address.revision or "main")
    commit = reference.read_text(encoding="ascii").strip() if reference.is_file() else address.revision or ""
    snapshot = folder / "snapshots" / commit
    if not commit or not snapshot.is_dir():
        return ()
    return [path.relative_to(snapshot).as_posix() for path in sorted(snapshot.rglob("*")) if path.is_file()]


def _describe_missing(name: str, list_files: Any) -> str:
    try:
        files = list(list_files())
    except Exception:
        files = []
    near = suggest(name, files)
    hint = near if near.endswith("?") else f"it has {_name_some(files)}" if files else ""
    return f"the repository has no file {name}{f'; {hint}' if hint else ''}"


def _describe_absence(error: Exception, errors: ModuleType) -> str:
    if isinstance(error, errors.OfflineModeIsEnabled) or isinstance(error.__cause__, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    return "the Hub cannot be reached"


def _describe_status(status: int, token: bool) -> str:
    if status == 401:
        return "the token is not valid; log in anew with `hf auth login`" if token else _LOGIN
    if status == 403:
        return "this login may not do that; it needs a token with the right to write" if token else _LOGIN
    if status == 429:
        return "the Hub refuses more requests for now; try again in some minutes"
    return f"the Hub answers with an error (HTTP {status}); try again later"


_LOGIN = "needs a login: run `hf auth login`, or set HF_TOKEN"


def _name_some(files: Sequence[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return (", ".join(files[:SHOWN]) or "none") + more


def _folder() -> Path:
    return cache_folder() / "hub"
