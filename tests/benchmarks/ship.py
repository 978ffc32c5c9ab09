"""Put a trained model among those that ship, with its card.

    python tests/benchmarks/ship.py RUN NAME COMMIT COMMAND METRICS [FOLDER]

RUN is a run folder, of which the best model is taken, with its branches folded if it has any. NAME is what users will
call the model. COMMIT and COMMAND say how it was trained, so that anyone can repeat it. METRICS is a sentence or a
table of its results on pictures that it never saw. The training data are always those that `photograph_pool.py`
gathers, and `photographs.csv` lists them. FOLDER is where the model goes, if not among those that ship.
"""

import sys
from pathlib import Path

from models.backbones.span import SPAN
from models.contract import Sampler, Translator
from translate.exchange.verification import add_probe
from translate.inference.model_file import Card, load_network, save_model
from translate.inference.shipped import pretrained_folder

LICENCE = "CC-BY-SA-4.0"
CARD = """# {name}

{what}

**Data.** {samples:,} pictures, or windows cut from larger ones, of the photographs that `photographs.csv` lists with
their authors, licences and sources; `tests/benchmarks/photograph_pool.py` gathers them. The field's test sets were not
used for training or tuning. The pictures show landscapes, plants, animals, buildings, faces, rooms and food, but hardly
any text and few scenes at night, so those come out worse.

**Licence.** The weights are under {licence}, with credit to the authors in that list.

**Recipe.** {parameters:,} parameters, {step:,} steps, trained at commit {commit} with this command:

```sh
{command}
```

**Metrics.** {metrics}
"""


def main(run: Path, name: str, commit: str, command: str, metrics: str, folder: Path | None = None) -> None:
    """Write the weights and the card."""
    network, card = fold(*load_network(run / "best.safetensors"))
    place = (folder or pretrained_folder()) / f"{name}.safetensors"
    place.parent.mkdir(exist_ok=True)
    card = add_probe(card.model_copy(update={"licence": LICENCE}), network)  # figures for `translate model verify`
    save_model(place, network, card)
    text = CARD.format(
        name=name,
        what=describe_purpose(network, card),
        samples=card.data_samples,
        licence=LICENCE,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        step=card.step,
        commit=commit,
        command=command,
        metrics=metrics,
    )
    place.with_suffix(".md").write_text(text, encoding="utf-8")


def describe_purpose(network: Translator | Sampler, card: Card) -> str:
    """Return what the model is for, in a sentence."""
    scale, pairs = getattr(network, "scale", 1), getattr(card.experiment.data, "pairs", None)
    if scale > 1:
        return f"Enlarges pictures {scale} times."
    purposes = {"noise": "Removes noise from pictures.", "jpeg": "Removes the blocks and rings of JPEG from pictures."}
    return "Fills holes in pictures." if pairs is None else purposes[pairs.degradation]


def fold(network: Translator | Sampler, card: Card) -> tuple[Translator | Sampler, Card]:
    """Fold the branches of SPAN's convolutions, in the network and in the settings that rebuild it."""
    generator = getattr(network, "generator", None)
    if not isinstance(generator, SPAN):
        return network, card
    generator.fold()
    settings = card.experiment.model_dump()
    settings["model"]["generator"]["expansion"] = 0
    return network, card.model_copy(update={"experiment": type(card.experiment).model_validate(settings)})


if __name__ == "__main__":
    run, name, commit, command, metrics, *folders = sys.argv[1:]
    main(Path(run), name, commit, command, metrics, Path(folders[0]) if folders else None)
