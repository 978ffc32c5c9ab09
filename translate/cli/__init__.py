"""The command line: parse, call, print. Commands import torch when they run, so that help is instant."""

import importlib.util
import io
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from translate import __version__
from translate.cli import data, demo, doctor, evaluate, inpaint, model, recipes, run, sample, train, upscale
from translate.cli.common import INTERRUPTED, spell_options
from translate.process import configure_process

app = typer.Typer(
    help="Train and run translators between kinds of pictures, from folder to folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("run")(run.run)
app.command("upscale")(upscale.upscale)
app.command("inpaint")(inpaint.inpaint)
app.command("sample")(sample.sample)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipes")
app.add_typer(model.app, name="model")
app.add_typer(evaluate.app, name="eval")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"translate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the program. An error that the user can fix ends it with one sentence and the exit code of its kind."""
    # Not KeyboardInterrupt, whose traceback would tell the user nothing; interruption has an exit code of its own.
    signal.signal(signal.SIGINT, lambda number, frame: sys.exit(INTERRUPTED))
    configure_process()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may hold characters that a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    conflict = _find_conflict()
    if conflict is not None:
        typer.echo(f"error: {conflict}", err=True)
        sys.exit(2)
    from datasets.errors import UserError

    try:
        app(prog_name="translate")
    except UserError as error:
        typer.echo(f"error: {spell_options(str(error))}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever reads our output has stopped; Python would complain when it closes the stream
        sys.exit(1)


def _find_conflict() -> str | None:
    """Return a sentence about another package of the name `models` or `datasets` that Python finds before ours."""
    home = Path(__file__).resolve().parents[2]
    for name in ("models", "datasets"):
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found != home / name or not (found / "contract.py").is_file():
            return (
                f"the package {name} that Python finds is {found or 'nothing'}, not translate's own in {home / name}; "
                "install translate-images into an environment of its own, and start it from another folder"
            )
    return None
