"""`translate model`: one file a family of verbs."""

import typer

from translate.cli.model import exporting, hub, importing, info, listing

app = typer.Typer(help="List, describe, check, import, export and publish model files.", no_args_is_help=True)
app.command("list")(listing.list_models)
app.command("known")(listing.list_known)
app.command("info")(info.describe_model)
app.command("verify")(info.verify_model)
app.command("import")(importing.import_checkpoint)
app.command("export")(exporting.export)
app.command("pull")(hub.pull_model)
app.command("push")(hub.push_model)
