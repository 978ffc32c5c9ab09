"""`translate model list` and `translate model info`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli.common import Best, Json, choose_model, console, print_json

if TYPE_CHECKING:
    from models.contract import Sampler, Translator
    from translate.inference.model_file import Card


def list_models(
    folder: Annotated[Path, typer.Argument(help="The folder to search, with its subfolders.")] = Path(),
    json: Json = False,
) -> None:
    """List the models that ship, and the model files in a folder."""
    from datasets.errors import UserError
    from translate.folders.jobs import NothingFoundError
    from translate.inference.model_file import build_uninitialized, read_card
    from translate.inference.shipped import builtin_models

    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder to search for model files, found none")
    rows = []
    shipped = builtin_models()
    own = [path for path in sorted(folder.rglob("*.safetensors")) if path.resolve() not in shipped.values()]
    for name, path in [*shipped.items(), *((str(path), path) for path in own)]:
        try:
            card = read_card(path)
        except UserError as error:
            console().print(f"note: {error}", markup=False)
            continue
        kind = {"model": name, "name": card.experiment.model.name, "step": card.step}
        kind |= {"imported": card.origin.architecture} if card.origin else {}
        rows.append({**kind, **_describe_sampler(build_uninitialized(card)), **card.metrics})
    if not rows:
        raise NothingFoundError(f"{folder}: there is no model file in it that can be read")
    if json:
        print_json(rows)
        return
    for row in rows:
        history = f"imported, {row['imported']}" if "imported" in row else f"step {row['step']}"
        parts = [f"{row['model']}: {row['name']}", history]
        if "latent" in row:
            parts += [f"latent {row['latent']} {row['prior']}", f"{row['size']} pixels"]
            parts += [f"{len(row['classes'])} classes"] if row["classes"] else []
        parts += [f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, float)]
        typer.echo(", ".join(parts))


def describe_model(
    model: Annotated[str, typer.Argument(help="A model file, or a run folder (its last model).")],
    best: Best = False,
    json: Json = False,
) -> None:
    """Describe a model file: its kind, size, training and metrics."""
    from translate.inference.model_file import load_network, model_path, read_card

    path = model_path(choose_model(model, best=best))
    if json:
        print_json(read_card(path).model_dump(mode="json"))
        return
    import yaml

    network, card = load_network(path)
    facts = {
        "model": card.experiment.model.name,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **_describe_translator(network),
        **_describe_sampler(network),
        **_describe_history(card),
        "licence": card.licence or ("unknown" if card.origin else "not stated"),
        "written_by": card.written_by,
        **_describe_settings(card),
    }
    typer.echo(yaml.safe_dump(facts, sort_keys=False), nl=False)


def _describe_history(card: "Card") -> dict[str, Any]:
    """Return what a network learned from or, if it was imported, where its weights come from."""
    if card.origin is not None:
        origin = card.origin
        return {
            "imported": f"from {origin.file}, {origin.architecture}",
            "source": origin.source or "unknown",
            "sha256": origin.sha256,
        }
    return {
        "trained": f"{card.step} steps on {card.data_samples} samples at {card.trained_size} pixels",
        "metrics": card.metrics,
        "data_fingerprint": card.data_fingerprint,
    }


def _describe_settings(card: "Card") -> dict[str, Any]:
    """Return the experiment behind a network or, if it was imported, the network's settings alone."""
    if card.origin is None:
        return {"experiment": card.experiment.model_dump(mode="json")}
    return card.experiment.model.model_dump(mode="json", include={"generator"})


def _describe_translator(network: "Translator | Sampler") -> dict[str, Any]:
    """Return facts about a translator's inputs and outputs; none about other networks."""
    from models.contract import Translator

    if not isinstance(network, Translator):
        return {}
    channels = f"{network.channels_in} in, {network.channels_out} out"
    return {"channels": channels, "scale": network.scale, "domains": list(network.domains)}


def _describe_sampler(network: "Translator | Sampler") -> dict[str, Any]:
    """Return facts about a sampler's inputs and outputs; none about other networks."""
    from models.contract import Encoder, Sampler

    if not isinstance(network, Sampler):
        return {}
    facts = {"latent": network.latent, "prior": network.prior, "size": network.size, "classes": list(network.domains)}
    return {**facts, "encoder": isinstance(network, Encoder)}
