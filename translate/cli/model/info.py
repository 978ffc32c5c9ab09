"""`translate model info` and `translate model verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli.common import Best, Json, absolute, choose_model, flag, print_json, print_notes

if TYPE_CHECKING:
    from models.contract import Sampler, Translator
    from translate.inference.model_file import Card

MODEL = Annotated[str, typer.Argument(metavar="MODEL", help="A model file, run folder or name.")]


def describe_model(
    model: MODEL,
    best: Best = False,
    openmodeldb: Annotated[bool, flag("Print the JSON that OpenModelDB lists models by", "--openmodeldb")] = False,
    json: Json = False,
) -> None:
    """Tell all that a model file knows: kind, size, licence, origin, training, metrics, settings."""
    from translate.inference.model_file import load_network, model_path

    path = model_path(choose_model(model, best=best))
    if openmodeldb:
        from translate.exchange.openmodeldb import describe_openmodeldb

        print_json(describe_openmodeldb(path))
        print_notes(["author, tags, urls and images are for you to fill in"])
        return
    network, card = load_network(path)
    if json:
        print_json({**card.model_dump(mode="json"), "file": describe_file(path), **describe_network(network)})
        return
    import yaml

    facts = {
        "model": card.experiment.model.name,
        **describe_network(network),
        **_describe_history(card),
        "licence": card.licence or ("unknown" if card.origin else "not stated"),
        "written_by": card.written_by,
        "file": {**describe_file(path), "holds": _describe_figures(card)},
        **_describe_settings(card),
    }
    typer.echo(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True), nl=False)


def verify_model(model: MODEL, best: Best = False, json: Json = False) -> None:
    """Check that a model file is intact, and that its network computes what it did when the file was finished.

    Exit code 6 if it is not.
    """
    from translate.exchange.verification import TOLERANCE, verify_model
    from translate.inference.model_file import model_path

    path = model_path(choose_model(model, best=best))
    found = verify_model(path)
    if json:
        facts = {"tensors": found.tensors, "hashes": found.hashes, "difference": found.difference}
        print_json({"model": absolute(path), "intact": True, **facts, "not_compared": found.without or None})
        return
    weights = "are those that were saved" if found.hashes else "are finite and fit their description"
    difference = found.difference
    outputs = found.without if difference is None else f"outputs differ by {difference:.1g} of at most {TOLERANCE:g}"
    typer.echo(f"{model}: intact: {found.tensors} tensors {weights}; {outputs}")


def describe_network(network: "Translator | Sampler") -> dict[str, Any]:
    """Return facts about a network: its size, inputs and outputs."""
    count = sum(parameter.numel() for parameter in network.parameters())
    return {"parameters": count, **_describe_translator(network), **describe_sampler(network)}


def describe_file(path: Path) -> dict[str, Any]:
    """Return the size of a file in bytes, and its hash."""
    from translate.files import file_sha256

    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def describe_sampler(network: "Translator | Sampler") -> dict[str, Any]:
    """Return facts about a sampler's inputs and outputs; none about other networks."""
    from models.contract import Encoder, Sampler

    if not isinstance(network, Sampler):
        return {}
    facts = {"latent": network.latent, "prior": network.prior, "size": network.size, "classes": list(network.domains)}
    return {**facts, "encoder": isinstance(network, Encoder)}


def _describe_translator(network: "Translator | Sampler") -> dict[str, Any]:
    """Return facts about a translator's inputs and outputs; none about other networks."""
    from models.contract import Translator

    if not isinstance(network, Translator):
        return {}
    channels = f"{network.channels_in} in, {network.channels_out} out"
    return {"channels": channels, "scale": network.scale, "domains": list(network.domains)}


def _describe_history(card: "Card") -> dict[str, Any]:
    """Return what a network learned from or, if it was imported, where its weights come from."""
    if card.origin is not None:
        origin = card.origin
        return {
            "imported": f"from {origin.file}, {origin.architecture}",
            "source": origin.source or "unknown",
            "imported_sha256": origin.sha256,
        }
    return {
        "trained": f"{card.step} steps on {card.data_samples} samples at {card.trained_size} pixels",
        "metrics": card.metrics,
        "data_fingerprint": card.data_fingerprint,
    }


def _describe_figures(card: "Card") -> str:
    """Return what the file holds for `verify` to compare with."""
    held = [f"hashes of {len(card.tensor_hashes)} tensors"] if card.tensor_hashes else []
    held += ["outputs for a probe"] if card.probe is not None else []
    return " and ".join(held) or "neither hashes nor outputs for `verify`"


def _describe_settings(card: "Card") -> dict[str, Any]:
    """Return the experiment behind a network or, if it was imported, the network's settings alone."""
    if card.origin is None:
        return {"experiment": card.experiment.model_dump(mode="json")}
    return card.experiment.model.model_dump(mode="json", include={"generator"})
