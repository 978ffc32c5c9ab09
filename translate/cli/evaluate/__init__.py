"""`translate eval`: one file a family of verbs."""

import typer

from translate.cli.evaluate import human, measure, probe

app = typer.Typer(help="Measure what models and folders are worth.", no_args_is_help=True)
app.command("folders")(measure.folders)
app.command("model")(measure.model)
app.command("compare")(measure.compare)
app.command("human")(human.human)
app.command("probe")(probe.probe)
