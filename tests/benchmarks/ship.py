"""Put a trained model among those that ship, with its card.

    python tests/benchmarks/ship.py RUN NAME COMMIT COMMAND METRICS

RUN is a run folder, of which the best model is taken. NAME is what users will call the model. COMMIT and COMMAND say
how it was trained, so that anyone can repeat it. METRICS is a sentence or a table of its results on pictures that it
never saw. The training data are always those that `photographs.py` gathers.
"""

import sys
from pathlib import Path

from translate.inference.model_file import load_network, save_model
from translate.inference.shipped import pretrained_folder

LICENCE = "CC-BY-SA-4.0"
CARD = """# {name}

{what}

**Data.** {samples:,} pictures, or windows cut from larger ones, from the photographs and photo-like textures that
`tests/benchmarks/photographs.py` gathers from Debian packages. All are under free licences: lomiri-wallpapers
(CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-4.0), mate-backgrounds and plasma-workspace-wallpapers (GPL-2+), ufoai-textures
(GPL-2+, CC-BY-3.0, CC-BY-SA-3.0). The field's test sets were not used for training or tuning. The pictures show
landscapes, plants, animals, water, wood and walls, hardly any people and no text, so people and text come out worse.

**Licence.** The weights are under {licence}, with credit to the authors named in those packages.

**Recipe.** {parameters:,} parameters, {step:,} steps, trained at commit {commit} with this command:

```sh
{command}
```

**Metrics.** {metrics}
"""


def main(run: Path, name: str, commit: str, command: str, metrics: str) -> None:
    """Write the weights and the card."""
    network, card = load_network(run / "best.safetensors")
    place = pretrained_folder() / f"{name}.safetensors"
    place.parent.mkdir(exist_ok=True)
    save_model(place, network, card.model_copy(update={"licence": LICENCE}))
    scale = getattr(network, "scale", 1)
    what = f"Enlarges pictures {scale} times." if scale > 1 else "Fills holes in pictures."
    text = CARD.format(
        name=name,
        what=what,
        samples=card.data_samples,
        licence=LICENCE,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        step=card.step,
        commit=commit,
        command=command,
        metrics=metrics,
    )
    place.with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
