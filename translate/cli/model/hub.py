"""`translate model pull` and `translate model push`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Best, Json, choose_model, flag, option, print_json, silence_bars
from translate.cli.model.info import MODEL

ADDRESS = Annotated[
    str, typer.Argument(metavar="hf://OWNER/NAME", help="Where on the Hub; @REVISION and :FILE may follow.")
]


def pull_model(address: ADDRESS, json: Json = False) -> None:
    """Fetch a model from the Hugging Face Hub into the user's cache, and print where it is.

    Any verb takes such an address for MODEL, and finds what was pulled without a network.
    """
    from translate.exchange.hub import pull_model

    silence_bars()
    path = pull_model(address)
    if json:
        print_json({"address": address, "out": str(path.absolute())})
        return
    typer.echo(path.absolute())


def push_model(
    model: MODEL,
    address: Annotated[str, typer.Argument(metavar="hf://OWNER/NAME", help="Where on the Hub.")],
    best: Best = False,
    licence: Annotated[str | None, option("Of the weights, as SPDX names it", metavar="NAME")] = None,
    dataset: Annotated[list[str] | None, option("On the Hub, that it learned from", metavar="OWNER/NAME")] = None,
    samples: Annotated[bool, flag("Publish sample pictures of the run", "--samples/--no-samples")] = True,
    private: Annotated[bool, flag("Let nobody else see a new repository", "--private")] = False,
    json: Json = False,
) -> None:
    """Publish a model on the Hugging Face Hub: its file, a card, and two sample pictures.

    Needs a login (`hf auth login`, or HF_TOKEN). Sample pictures show training data.
    """
    from translate.exchange.hub_push import push_model

    silence_bars()
    run = Path(model) if samples and Path(model).is_dir() else None
    chosen = choose_model(model, best=best)
    pushed = push_model(chosen, address, licence=licence, datasets=dataset or (), private=private, samples=run)
    if json:
        print_json({"address": str(pushed.address), "url": pushed.url, "files": list(pushed.files)})
        return
    typer.echo(pushed.url)
