"""`translate model list` and `translate model info`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Json, console, print_json

app = typer.Typer(help="Model files: what they are and what they say about themselves.", no_args_is_help=True)


@app.command("list")
def list_models(
    folder: Annotated[Path, typer.Argument(help="Where to look, subfolders included.")] = Path(),
    json: Json = False,
) -> None:
    """List the model files under a folder."""
    from datasets.errors import UserError
    from translate.model import read_card
    from translate.plan import NothingFoundError

    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder to look through for model files")
    rows = []
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            card = read_card(path)
        except UserError as error:
            console().print(f"note: {error}", markup=False)
            continue
        rows.append({"model": str(path), "name": card.experiment.model.name, "step": card.step, **card.figures})
    if not rows:
        raise NothingFoundError(f"{folder}: holds no model file that can be read")
    if json:
        print_json(rows)
        return
    for row in rows:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, float))
        typer.echo(f"{row['model']}: {row['name']}, step {row['step']}" + (f", {figures}" if figures else ""))


@app.command("info")
def info(
    model: Annotated[str, typer.Argument(help="A model file, or a run folder (its last model).")], json: Json = False
) -> None:
    """Tell what a model file knows about itself: kind, size, training, figures."""
    from translate.model import load_model, model_path, read_card

    path = model_path(model)
    card = read_card(path)
    if json:
        print_json(card.model_dump(mode="json"))
        return
    import yaml

    network = load_model(path, device="cpu").translator
    facts = {
        "model": card.experiment.model.name,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "channels": f"{network.channels_in} in, {network.channels_out} out",
        "scale": network.scale,
        "domains": list(network.domains),
        "trained": f"{card.step} steps on {card.data_samples} samples at {card.trained_size} pixels",
        "figures": card.figures,
        "data_fingerprint": card.data_fingerprint,
        "licence": card.licence or "not stated",
        "written_by": card.written_by,
        "experiment": card.experiment.model_dump(mode="json"),
    }
    typer.echo(yaml.safe_dump(facts, sort_keys=False), nl=False)
