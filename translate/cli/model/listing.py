"""`translate model list`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Json, console, print_json
from translate.cli.model.info import describe_sampler


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
        rows.append({**kind, **describe_sampler(build_uninitialized(card)), **card.metrics})
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
