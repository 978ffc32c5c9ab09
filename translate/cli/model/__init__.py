"""`translate model`: one file a family of verbs."""

import typer

from translate.cli.model import listing

app = typer.Typer(help="List and describe model files.", no_args_is_help=True)
app.command("list")(listing.list_models)
app.command("info")(listing.describe_model)
