"""The description of a model in the form of OpenModelDB, for those who want to list a model of their own there.

The form is that of `data/models/*.json` in github.com/OpenModelDB/open-model-database. What a model file does not know
(author, addresses, pictures) is left empty.
"""

import datetime
from pathlib import Path
from typing import Any

from datasets.errors import UserError
from models.contract import Translator
from translate.exchange.uses import find_use
from translate.files import file_sha256
from translate.inference.model_file import load_network

# What OpenModelDB calls the generators that it knows.
ARCHITECTURES = {"compact": "compact", "rrdb": "esrgan", "span": "span", "srresnet": "sr-res-net"}
SIZES = {"width": "nf", "blocks": "nb", "depth": "nc"}  # what its names of sizes end with


def describe_openmodeldb(path: Path, date: datetime.date | None = None) -> dict[str, Any]:
    """Return a model file's description as OpenModelDB's JSON holds it.

    Args:
        path: The model file.
        date: Of its publication; None: today.

    Raises:
        ModelError: The file is damaged.
        UserError: It makes pictures from noise, or fills holes, which OpenModelDB does not list.
    """
    network, card = load_network(path)
    if not isinstance(network, Translator) or network.fills_holes:
        raise UserError(f"{path}: {find_use(network).does}; OpenModelDB lists models that enlarge or restore pictures")
    generator = card.experiment.model.model_dump(mode="json").get("generator", {})
    name = str(generator.get("name", card.experiment.model.name))
    sizes = [f"{generator[key]}{unit}" for key, unit in SIZES.items() if key in generator]
    what = f"It {find_use(network).does}."
    trained = {"trainingIterations": card.step, "datasetSize": card.data_samples, "trainingHRSize": card.trained_size}
    return {
        "name": path.stem if card.origin is None else Path(card.origin.file).stem,
        "author": "",
        "license": card.licence if card.licence not in ("", "unknown") else None,
        "tags": [],
        "description": what,
        "date": (date or datetime.datetime.now(datetime.UTC).date()).isoformat(),
        "architecture": ARCHITECTURES.get(name, name),
        "size": sizes or None,
        "scale": network.scale,
        "inputChannels": network.channels_in,
        "outputChannels": network.channels_out,
        **(trained if card.step else {}),
        "resources": [
            {
                "platform": "pytorch",
                "type": "safetensors",
                "size": path.stat().st_size,
                "sha256": file_sha256(path),
                "urls": [],
            }
        ],
        "images": [],
    }
