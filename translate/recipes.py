"""The recipes that ship: configurations in YAML, by name."""

from pathlib import Path

from datasets.errors import UserError, suggest, suggest_path


def recipes_folder() -> Path:
    """Return the folder of the recipes: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def recipe_names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(path.stem for path in recipes_folder().glob("*.yaml"))


def recipe_path(recipe: str) -> Path:
    """Return the file of a recipe, given its name or the path of a YAML file.

    Raises:
        UserError: There is no such recipe or file.
    """
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise UserError(f"{recipe}: there is no such file{suggest_path(path)}")
    if recipe in recipe_names():
        return recipes_folder() / f"{recipe}.yaml"
    if path.is_file():
        raise UserError(f"{recipe}: expected a recipe's name or a YAML file, whose name ends in .yaml")
    near = suggest(recipe, recipe_names())
    hint = near if near.endswith("?") else "`translate recipes list` shows all that there are, or give a YAML file"
    raise UserError(f"{recipe}: there is no such recipe; {hint}")


def recipe_summary(recipe: str) -> str:
    """Return the first line of the comment at the head of a recipe."""
    first = recipe_path(recipe).read_text(encoding="utf-8").split("\n", 1)[0]
    return first.lstrip("# ").rstrip()
