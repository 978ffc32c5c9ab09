"""`translate model list` and `translate model known`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from translate.cli.common import Json, console, print_json
from translate.cli.model.info import describe_file, describe_sampler

SHORT = 12  # digits of a SHA-256 in a line for eyes; `--json` has all


def list_models(
    folder: Annotated[Path, typer.Argument(help="The folder to search, with its subfolders.")] = Path(),
    json: Json = False,
) -> None:
    """List the models that ship, that were imported and pulled, and the model files in a folder."""
    from datasets.errors import UserError
    from translate.folders.jobs import NothingFoundError

    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder to search for model files, found none")
    rows = []
    for origin, name, path in _find_models(folder):
        try:
            rows.append({"model": name, "from": origin, **_describe(path), **describe_file(path)})
        except UserError as error:
            console().print(f"note: {error}", markup=False)
    if not rows:
        raise NothingFoundError(f"{folder}: there is no model file in it that can be read")
    if json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(_format(row))


def list_known(json: Json = False) -> None:
    """List published checkpoints that can be imported: what they do, their project, licence and file."""
    from translate.exchange.known import known_checkpoints

    checkpoints = known_checkpoints()
    if json:
        print_json([checkpoint._asdict() for checkpoint in checkpoints])
        return
    for known in checkpoints:
        size = f", {known.scale} times" if known.scale > 1 else ""
        digest = f", sha256 {known.sha256[:SHORT]}" if known.sha256 else ""
        typer.echo(
            f"{known.name}: {known.use}{size}; {known.architecture}; {known.project}, licence {known.licence}\n"
            f"    {known.file}{digest}, from {known.where}; stated in {known.stated_in}"
        )
    console().print("import a file with `translate model import FILE`, or give it to any verb as MODEL", markup=False)


def _find_models(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield where each model comes from, its name as MODEL, and its file."""
    from translate.exchange.hub import pulled_models
    from translate.exchange.importing import imported_models
    from translate.inference.shipped import builtin_models

    shipped, imported, pulled = builtin_models(), imported_models(), pulled_models()
    for name, path in shipped.items():
        yield "shipped", name, path
    for path in imported:
        yield "imported", str(path), path
    for address, path in pulled.items():
        yield "pulled", str(address), path
    listed = {path.resolve() for path in (*shipped.values(), *imported, *pulled.values())}
    for path in sorted(folder.rglob("*.safetensors")):
        if path.resolve() not in listed:
            yield "folder", str(path), path


def _describe(path: Path) -> dict[str, Any]:
    """Return what the file of a model tells; of a checkpoint that is not imported yet, little."""
    from translate.exchange.importing import is_model_file
    from translate.exchange.uses import find_use
    from translate.inference.model_file import build_uninitialized, read_card

    if not is_model_file(path):
        return {"name": "checkpoint", "use": "a published checkpoint", "licence": "unknown"}
    card = read_card(path)
    network = build_uninitialized(card)
    facts: dict[str, Any] = {"name": card.experiment.model.name, "step": card.step}
    facts |= {"imported": card.origin.architecture, "source": card.origin.source} if card.origin else {}
    facts |= {"use": find_use(network).does, "scale": getattr(network, "scale", 1)}
    facts |= {"licence": card.licence or "unknown"}
    return {**facts, **describe_sampler(network), **card.metrics}


def _format(row: dict[str, Any]) -> str:
    history = f"imported, {row['imported']}" if "imported" in row else f"step {row['step']}" if "step" in row else ""
    parts = [f"{row['model']}: {row['name']}", *([history] if history else [])]
    if "latent" in row:
        parts += [f"latent {row['latent']} {row['prior']}", f"{row['size']} pixels"]
        parts += [f"{len(row['classes'])} classes"] if row["classes"] else []
    parts += [row["use"], f"licence {row['licence']}"]
    parts += [f"{row['bytes'] / 1e6:.1f} MB", f"sha256 {row['sha256'][:SHORT]}"]
    parts += [f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, float)]
    return ", ".join(parts)
