"""`translate eval probe`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Best, Device, Json, choose_model, print_json


def probe(
    model: Annotated[str, typer.Argument(help="A model file or run folder of an autoencoder or a VAE.")],
    data: Annotated[Path, typer.Option(help="A folder of labelled pictures, read as the model's training data were.")],
    labels: Annotated[int, typer.Option(min=2, help="How many labelled pictures to learn from.")],
    seeds: Annotated[int, typer.Option(min=1, help="How often to repeat it, with other labels each time.")] = 3,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Read the folder differently, as in --set data.kind=idx."),
    ] = None,
    best: Best = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Measure how well a few labels teach a classifier on a model's codes.

    Compared with classifiers on pixels, fine-tuned, and from scratch.
    """
    from translate.evaluation.probe import probe as run_probe

    model = choose_model(model, best=best)
    result = run_probe(model, data, labels, seeds=range(seeds), overrides=settings or (), device=device)
    if json:
        print_json(result.__dict__)
        return
    typer.echo(f"{result.labels} labels of {len(result.classes)} classes; accuracy on {result.held_out} held out")
    for classifier, (mean, deviation) in result.means().items():
        typer.echo(f"{classifier:<12} {mean:6.1%} ± {deviation:.1%}")
