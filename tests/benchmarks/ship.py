"""Put a trained model among those that ship, with its card.

    python tests/benchmarks/ship.py RUN NAME COMMIT COMMAND FIGURES

RUN is a run folder, of which the best model is taken; NAME what people will call it; COMMIT and COMMAND how it was
trained, to be repeated by anyone; FIGURES a sentence or a table of what it reaches on pictures that it never saw. What
it learned from is always what `photographs.py` gathers.
"""

import sys
from pathlib import Path

from translate.inference.model_file import load_network, save_model
from translate.inference.shipped import pretrained_folder

LICENCE = "CC-BY-SA-4.0"
CARD = """# {name}

{what}

**Data.** {samples:,} windows and pictures of the photographs and photo-like textures that
`tests/benchmarks/photographs.py` gathers from Debian packages, all under free licences: lomiri-wallpapers
(CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-4.0), mate-backgrounds and plasma-workspace-wallpapers (GPL-2+), ufoai-textures
(GPL-2+, CC-BY-3.0, CC-BY-SA-3.0). None of the field's test sets was trained or tuned on. They show landscapes, plants,
animals, water, wood and walls; hardly any people and no text, so these are done less well.

**Licence.** The weights: {licence}, with credit to the authors named in those packages.

**Recipe.** {parameters:,} parameters, {step:,} steps, at {commit}:

```sh
{command}
```

**Figures.** {figures}
"""


def main(run: Path, name: str, commit: str, command: str, figures: str) -> None:
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
        metrics=figures,
    )
    place.with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
