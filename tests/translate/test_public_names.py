"""The Python door: every public name is there, typed, documented, and found without importing what it does not need."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import translate

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "translate" / "__init__.py"
NAMES = sorted(set(translate.__all__) - {"__version__"})


def words(path: Path) -> set[str]:
    return set(re.findall(r"\w+", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found_and_says_what_it_is(name: str) -> None:
    value = getattr(translate, name)
    assert value.__name__ == name
    assert value.__doc__
    assert name in dir(translate)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'translate' has no attribute 'load_modle'"):
        translate.load_modle  # noqa: B018


def test_type_checkers_see_the_same_names_in_the_same_places() -> None:
    imported = {
        alias.asname: node.module
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert imported == translate._MODULES


def test_every_error_of_a_user_is_public() -> None:
    for path in (ROOT / "translate").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module != "translate.__main__":
            importlib.import_module(module)
    found, waiting = {translate.UserError}, [translate.UserError]
    while waiting:
        subclasses = [error for error in waiting.pop().__subclasses__() if error.__module__.split(".")[0] != "tests"]
        waiting += subclasses
        found |= set(subclasses)
    ours = {error.__name__ for error in found if error.__module__.split(".")[0] in ("translate", "models", "datasets")}
    assert ours == {name for name in NAMES if name.endswith("Error")}


def test_every_name_is_documented_and_nothing_else_is() -> None:
    readme = (ROOT / "translate" / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## From Python\n")[2].partition("\n## ")[0]
    assert set(NAMES) <= set(re.findall(r"\w+", section))
    used = {
        name
        for path in (ROOT / "README.md", ROOT / "translate" / "README.md")
        for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        for name in re.findall(r"\btranslate\.(\w+)", block)
    }
    assert used
    assert used <= set(NAMES)


def test_a_users_script_uses_every_name() -> None:
    assert set(NAMES) <= words(ROOT / "tests" / "user_script.py")


def test_what_is_light_stays_light() -> None:
    program = "import sys, translate; translate.UserError; print(*{'torch', 'numpy', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("package", ["translate", "models", "datasets"])
def test_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_version_stands_once() -> None:
    assert f'version = "{translate.__version__}"' not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert SOURCE.read_text(encoding="utf-8").count(translate.__version__) == 1
