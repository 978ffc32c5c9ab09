"""`translate recipes list` and `translate recipes show`."""

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
    full: Annotated[bool, typer.Option("--full", help="Print every setting, defaults included.")] = False,
) -> None:
    """Print a recipe as YAML; start your own with `translate recipes show pix2pix > my.yaml`."""
    from translate.recipes import recipe_path

    if not full:
        typer.echo(recipe_path(recipe).read_text(encoding="utf-8"), nl=False)
        return
    import yaml

    from translate.experiment import load_experiment

    typer.echo(yaml.safe_dump(load_experiment(recipe).model_dump(mode="json"), sort_keys=False), nl=False)
