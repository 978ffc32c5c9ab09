"""Publish a model on the Hugging Face Hub: its file, a card, and sample pictures of its training."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import UserError
from translate.exchange.hub import MODEL_NAME, HubAddress, explain_errors, load_client
from translate.exchange.hub_card import write_hub_card
from translate.exchange.verification import add_probe, verify_model
from translate.inference.model_file import load_network, model_path, save_model
from translate.run_folder import RunFolder

SAMPLES = 2  # of the training's sample pictures: one from its beginning and the newest


@dataclass(frozen=True)
class Pushed:
    """What was published.

    Attributes:
        address: Where the model is from now on.
        url: Of the commit.
        files: Paths in the repository.
    """

    address: HubAddress
    url: str
    files: tuple[str, ...]


def push_model(
    model: str | Path,
    address: str | HubAddress,
    *,
    licence: str | None = None,
    datasets: Sequence[str] = (),
    private: bool = False,
    samples: Path | None = None,
) -> Pushed:
    """Publish a model on the Hub, in a repository that is created if there is none.

    The file gets the figures that `verify_model` compares with. Nothing of the run folder is published but the model
    and two of the sample pictures, which show training data.

    Args:
        model: A model file, a run folder (its last model), or the name of a model that ships.
        address: The repository, as hf://OWNER/NAME.
        licence: SPDX identifier of the weights' licence; None: as the file states it.
        datasets: Data sets on the Hub that it learned from, as OWNER/NAME.
        private: Whether a new repository can be seen by its owner only.
        samples: A run folder whose sample pictures are published; None: none are.

    Raises:
        ModelError: There is no such model or it is damaged, or the Hub refuses.
        UserError: The address names a file or a revision, or the Hub's client is not installed.
    """
    wanted = address if isinstance(address, HubAddress) else HubAddress.parse(address)
    if wanted.file is not None or wanted.revision is not None:
        raise UserError(f"{wanted}: a model is published in a repository, as hf://{wanted.repository}")
    hub, path = load_client(), model_path(model)
    verify_model(path)
    network, card = load_network(path)
    card = add_probe(card if licence is None else card.model_copy(update={"licence": licence}), network)
    pictures = {} if samples is None else _choose_samples(samples)
    text = write_hub_card(card, network, wanted, list(pictures), datasets)
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    with tempfile.TemporaryDirectory(prefix="translate-") as folder, explain_errors(hub, wanted):
        file = Path(folder) / MODEL_NAME
        save_model(file, network, card)
        api.create_repo(wanted.repository, private=private or None, exist_ok=True)
        files: dict[str, Path | bytes] = {MODEL_NAME: file, "README.md": text.encode(), **pictures}
        commit = api.create_commit(
            wanted.repository,
            operations=[
                hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()
            ],
            commit_message=f"Publish {card.experiment.model.name} of step {card.step}",
        )
    return Pushed(wanted, str(commit.commit_url), tuple(files))


def _choose_samples(run: Path) -> dict[str, Path]:
    """Return sample pictures of a training by their paths in the repository: an early one and the newest."""
    found = [path for _, path in RunFolder(run).find_samples()]
    chosen = dict.fromkeys([*found[:1], *found[-1:]][-SAMPLES:])
    return {f"samples/{path.name}": path for path in chosen}
