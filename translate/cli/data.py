"""`translate data degrade`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import SOME_FAILED, absolute, console

app = typer.Typer(help="Folders of pictures: make them and look at them.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    pass


@app.command("degrade")
def degrade(
    degradation: Annotated[str, typer.Argument(help="gray, edges, blur, noise, jpeg or posterize.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="A folder of good pictures.")],
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="Where the degraded ones go.")],
    strength: Annotated[float | None, typer.Option(help="Of the degradation; it says what of.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same noise.")] = 0,
) -> None:
    """Make inputs to try a model on: the pictures of a folder, degraded as a training would degrade them."""
    from datasets.degrade import DEGRADATIONS
    from datasets.errors import UserError
    from translate.degrading import degrade_folder

    if degradation not in DEGRADATIONS:
        raise UserError(f"{degradation}: there is no such degradation; there are {', '.join(DEGRADATIONS)}")
    screen = console()
    counts = {"ok": 0, "failed": 0}
    for problem in degrade_folder(source, destination, degradation, strength, seed):
        counts["failed" if problem else "ok"] += 1
        if problem:
            screen.print(f"failed: {problem}", style="red", markup=False)
    tally = ", ".join(f"{count} {status}" for status, count in counts.items())
    screen.print(f"done {tally} → {absolute(destination)}", markup=False)
    if counts["failed"]:
        raise typer.Exit(SOME_FAILED)
