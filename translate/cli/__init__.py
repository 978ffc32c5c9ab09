"""The command line: parse, call, print. Commands import torch when they run, so that help is instant."""

import importlib.util
import io
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from translate import __version__
from translate.cli import data, demo, doctor, evaluate, inpaint, model, recipes, run, sample, train, upscale
from translate.cli.common import console, print_json, spell_options
from translate.cli.signals import INTERRUPTED
from translate.process import configure_process

WRONG_USAGE = 2  # exit code

app = typer.Typer(
    help="Train and run translators between kinds of pictures, from folder to folder.",
    no_args_is_help=True,
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
    logging.getLogger("translate").handlers = [_Notes(logging.INFO)]
    logging.getLogger("translate").setLevel(logging.INFO)
    from datasets.errors import UserError

    try:
        app(prog_name="translate")
    except UserError as error:
        _fail(spell_options(str(error)), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever reads our output has stopped; Python would complain when it closes the stream
        sys.exit(1)
    except SystemExit as ended:
        if ended.code == WRONG_USAGE:  # which typer has explained
            _print_failure("the command line cannot be understood, for the reason on stderr", WRONG_USAGE)
        raise
    except Exception as error:
        if not isinstance(error, OSError) or error.filename is not None:
            _print_failure(f"internal error: {error!r}", 1)
            raise
        # No file: what was to be printed, since the program itself names those that it uses.
        _close_stdout()
        _fail(f"what was to be printed cannot be written: {error.strerror}; print to another place", WRONG_USAGE)


class _Notes(logging.Handler):
    """Prints what the library logs as it prints notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        console().print(f"note: {spell_options(record.getMessage())}", markup=False)


def _fail(message: str, code: int) -> None:
    """End the program with a message, which `--json` also has as the one document."""
    with suppress(OSError):
        typer.echo(f"error: {message}", err=True)
    _print_failure(message, code)
    sys.exit(code)


def _print_failure(message: str, code: int) -> None:
    """Print a failure as the one document, if `--json` asks for one."""
    if "--json" in sys.argv:
        with suppress(OSError):
            print_json({"error": message, "exit_code": code})


def _close_stdout() -> None:
    """Let what is still to be printed vanish: Python would try to print it once more at its end, and complain."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


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
