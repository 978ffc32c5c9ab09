"""`translate eval probe`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Device, Json, print_json

app = typer.Typer(help="What a model is worth.", no_args_is_help=True)


@app.callback()
def _evaluate() -> None:
    pass


@app.command("probe")
def probe(
    model: Annotated[str, typer.Argument(help="An autoencoder or a VAE: a model file, or a run folder.")],
    data: Annotated[Path, typer.Option(help="A folder of labelled pictures, opened as the model's own data were.")],
    labels: Annotated[int, typer.Option(min=2, help="How many labels there are to learn from.")],
    seeds: Annotated[int, typer.Option(min=1, help="How often all is done, with other labels each time.")] = 3,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Open the folder otherwise, as in --set data.kind=idx."),
    ] = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Judge a model's codes by how well a few labels teach a classifier that stands on them.

    Beside it: a classifier on the pixels themselves, one that goes on training the encoder, and one from scratch.
    """
    from translate.evaluation.probe import probe as probed

    result = probed(model, data, labels, seeds=range(seeds), overrides=settings or (), device=device)
    if json:
        print_json(result.__dict__)
        return
    typer.echo(f"{result.labels} labels of {len(result.classes)} classes; right of {result.held_out} held out")
    for way, (mean, deviation) in result.means().items():
        typer.echo(f"{way:<12} {mean:6.1%} ± {deviation:.1%}")
