"""`translate model import`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Json, absolute, option, print_json


def import_checkpoint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Published weights: .pth, .safetensors, .param …")],
    out: Annotated[Path | None, option("Model file to write; else one in the user's cache", metavar="FILE")] = None,
    other: Annotated[
        Path | None, option("The file that translates back; both become one model", "--with", metavar="FILE")
    ] = None,
    licence: Annotated[str, option("Of the weights, as SPDX names it; else unknown", metavar="NAME")] = "",
    source: Annotated[str, option("Where the checkpoint comes from; else unknown", metavar="URL")] = "",
    domains: Annotated[str, option("What it translates to, where there are several", metavar="NAME,…")] = "",
    statistics: Annotated[
        str, option("That batch norms use: the picture's, or training's", metavar="picture|training")
    ] = "picture",
    json: Json = False,
) -> None:
    """Turn published weights into a model file; without --out, FILE itself is a MODEL from then on.

    Nothing in the file is executed. The licence and the source are kept in the model's card.
    """
    from translate.exchange.importing import import_model
    from translate.inference.model_file import read_card

    names = [name.strip() for name in domains.split(",") if name.strip()]
    written = import_model(file, out, other=other, licence=licence, source=source, domains=names, statistics=statistics)
    card = read_card(written)
    assert card.origin is not None
    if json:
        print_json({"out": absolute(written), "licence": card.licence or "unknown", **card.origin.model_dump()})
        return
    typer.echo(absolute(written))
