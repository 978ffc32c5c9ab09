"""The card of a model on the Hub: a README.md whose head the Hub reads, with what the model file knows."""

import shlex
from collections.abc import Sequence

import yaml

from models.contract import Sampler, Translator
from translate.exchange.hub import MODEL_NAME, HubAddress
from translate.exchange.uses import find_use
from translate.inference.model_file import Card

LIBRARY = "translate-images"
_ARGUMENTS = {
    "run": "hf://{model} photos translated",
    "upscale": "photos large --model hf://{model}",
    "inpaint": "photos filled --mask masks --model hf://{model}",
    "sample": "hf://{model} samples --count 16 --grid",
}
_TOPICS = {"upscale": "super-resolution", "inpaint": "inpainting", "sample": "gan"}
_TEXT = """{head}# {name}

{what} Translate (`{library}`) runs it on pictures and on folders of them:

```sh
pip install '{library}[hub]'
{command}
```

The model file is `{file}`, safetensors with a description of the network in its metadata; nothing in it is executed.

**Licence of the weights.** {licence}

**Training.** {training}
{metrics}{samples}"""


def write_hub_card(
    card: Card, network: Translator | Sampler, address: HubAddress, samples: Sequence[str], datasets: Sequence[str] = ()
) -> str:
    """Return the text of a model's card: metadata in YAML between dashes, and then Markdown.

    Args:
        card: The description in its file.
        network: The network, for its sizes and domains.
        address: Where it will be.
        samples: Paths of sample pictures in the repository.
        datasets: Data sets on the Hub that it learned from, as OWNER/NAME.
    """
    verb, does = find_use(network)
    command = f"translate {verb} {_ARGUMENTS[verb].format(model=address.repository)}"
    if verb == "run" and len(network.domains) > 1:
        command += f" --to {shlex.quote(network.domains[0])}"
    metrics = "".join(f"| {name} | {value:.4g} |\n" for name, value in sorted(card.metrics.items()))
    return _TEXT.format(
        head=_write_head(card, network, verb, datasets),
        name=address.repository.partition("/")[2],
        what=f"It {does}{_describe_domains(network)}",
        library=LIBRARY,
        command=command,
        file=MODEL_NAME,
        licence=card.licence or "Not stated: ask the author before you use them.",
        training=_describe_training(card),
        metrics=f"\n| on held-out samples | |\n|---|---|\n{metrics}" if metrics else "",
        samples="".join(f"\n![samples during training]({path})\n" for path in samples),
    )


def _write_head(card: Card, network: Translator | Sampler, verb: str, datasets: Sequence[str]) -> str:
    family = card.experiment.model.name
    tags = [LIBRARY, family, *([_TOPICS[verb]] if verb in _TOPICS else [])]
    head = {
        "license": card.licence.lower() or "unknown",
        "library_name": LIBRARY,
        "pipeline_tag": "unconditional-image-generation" if verb == "sample" else "image-to-image",
        "tags": list(dict.fromkeys(tags)),
        "datasets": list(datasets),
        "metrics": sorted(card.metrics),
    }
    filled = {key: value for key, value in head.items() if value}
    return f"---\n{yaml.safe_dump(filled, sort_keys=False, allow_unicode=True)}---\n\n"


def _describe_domains(network: Translator | Sampler) -> str:
    if not network.domains:
        return "."
    kind = "classes" if isinstance(network, Sampler) else "domains"
    return f", with the {kind} {', '.join(network.domains)}."


def _describe_training(card: Card) -> str:
    if not card.step:
        return "Unknown: the weights were imported." if not card.data_samples else "None yet."
    return (
        f"Recipe `{card.experiment.model.name}`, {card.step:,} steps on {card.data_samples:,} samples at "
        f"{card.trained_size} pixels; all settings are in the file: `translate model info hf://…`."
    )
