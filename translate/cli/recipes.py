"""`translate recipes list`, `show` and `schema`."""

from typing import Annotated

import typer

from translate.cli.common import Json, print_json

app = typer.Typer(help="List and print the training recipes.", no_args_is_help=True)


@app.command("list")
def list_recipes(json: Json = False) -> None:
    """List all recipes and what they are for."""
    from translate.recipes import recipe_names, recipe_summary

    summaries = {name: recipe_summary(name) for name in recipe_names()}
    if json:
        print_json(summaries)
        return
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        typer.echo(f"{name:<{width}}  {summary}")


@app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or a YAML file.")],
    full: Annotated[bool, typer.Option("--full", help="Print every setting, with what it means and may be.")] = False,
) -> None:
    """Print a recipe as YAML; start your own with `translate recipes show pix2pix > my.yaml`."""
    from translate.recipes import recipe_path

    if not full:
        typer.echo(recipe_path(recipe).read_text(encoding="utf-8"), nl=False)
        return
    from translate.experiment import load_experiment
    from translate.settings.listing import list_settings

    typer.echo("\n".join(list_settings(load_experiment(recipe))))


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of recipes, by which editors complete and check them.

    Write it beside your recipe: `translate recipes schema > recipe.schema.json`, and
    begin the recipe with `# yaml-language-server: $schema=recipe.schema.json`.
    """
    from translate.settings.schema import build_schema

    print_json(build_schema())
