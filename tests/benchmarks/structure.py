"""The structure of a checkout in figures, counted from its source: run it before and after a change of structure.

    python tests/benchmarks/structure.py [ROOT]

A room is a folder of modules within translate, models or datasets. An arrow is a pair of rooms of which one imports the
other. A participle is a function whose last word is a past or present participle although it acts. Two places are
duplicates when six lines of code, white space and comments aside, are the same in both.
"""

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

PACKAGES = ("translate", "models", "datasets")
RUN = 6  # lines that two places must share
# Past participles that do not end in -ed; words in -ed and -ing that are none.
IRREGULAR = {
    "shown",
    "told",
    "held",
    "drawn",
    "made",
    "kept",
    "grown",
    "seen",
    "said",
    "found",
    "given",
    "taken",
    "left",
}
NO_PARTICIPLES = {
    "seed",
    "speed",
    "feed",
    "need",
    "embed",
    "embedding",
    "string",
    "ring",
    "padding",
    "encoding",
    "exceed",
}


def main() -> None:
    """Print the table for one checkout."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    sources = {path.relative_to(root): path.read_text(encoding="utf-8") for path in files_of(root)}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    functions = [(path, node) for path, tree in trees.items() for node in functions_of(tree)]
    rooms = Counter(path.parent.as_posix() for path in sources if path.name != "__init__.py")
    arrows, imports = arrows_of(trees)
    for room, count in sorted(rooms.items()):
        print(f"{room}: {count} files")
    in_translate = [pair for pair in imports if all(module.startswith("translate") for module in pair)]
    print(f"arrows between rooms: {len(arrows)}")
    print(f"imports between files of translate: {len(in_translate)}")
    names = Counter(path.name for path in sources if path.name != "__init__.py")
    print(f"file names that occur more than once: {sum(count > 1 for count in names.values())}")
    length = {path: text.count("\n") for path, text in sources.items()}
    print("longest file: {} {}".format(*max((lines, path.as_posix()) for path, lines in length.items())))
    longest = max(functions, key=lambda pair: lines_of(pair[1]))
    print(f"longest function: {lines_of(longest[1])} {longest[0].as_posix()}:{longest[1].name}")
    wide = max(functions, key=lambda pair: parameters_of(pair[1]))
    print(f"most parameters: {parameters_of(wide[1])} {wide[0].as_posix()}:{wide[1].name}")
    participles = [node.name for _, node in functions if is_participle(node)]
    print(
        f"participles among functions: {len(participles)} of {len(functions)} ({len(participles) / len(functions):.1%})"
    )
    print(f"functions over 40 lines: {sum(lines_of(node) > 40 for _, node in functions)}")
    print(f"duplicated pairs of {RUN} lines: {duplicates_in(sources)}")
    print(f"words of the README: {len((root / 'README.md').read_text(encoding='utf-8').split())}")


def files_of(root: Path) -> list[Path]:
    """Every module of the three packages."""
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def lines_of(node: ast.FunctionDef) -> int:
    """From `def` to the last line."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def parameters_of(node: ast.FunctionDef) -> int:
    """All of them but `self` and `cls`."""
    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return sum(argument.arg not in ("self", "cls") for argument in arguments)


def is_participle(node: ast.FunctionDef) -> bool:
    """Whether a function that is no property and no test for something bears a participle."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    words = node.name.strip("_").split("_")
    if decorators & {"property", "functools.cached_property", "override"} or words[0] in ("is", "has", "was"):
        return False
    last = words[-1] if len(words) == 1 else words[0]
    if last in NO_PARTICIPLES:
        return False
    return bool(re.search(r"(ed|ing)$", last)) or last in IRREGULAR


def arrows_of(trees: dict[Path, ast.Module]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Pairs of rooms, and pairs of modules, of which the first imports the second."""
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in trees}
    arrows, imports = set(), set()
    for module, path in modules.items():
        for node in ast.walk(trees[path]):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                target = name if name in modules else node.module
                if target in modules and target != module:
                    imports.add((module, target))
                    rooms = path.parent.as_posix(), modules[target].parent.as_posix()
                    if rooms[0] != rooms[1]:
                        arrows.add(rooms)
    return arrows, imports


def duplicates_in(sources: dict[Path, str]) -> int:
    """Pairs of files that share a run of lines."""
    places: dict[tuple[str, ...], set[Path]] = defaultdict(set)
    for path, text in sources.items():
        lines = [re.sub(r"\s+", " ", line.split("  #")[0]).strip() for line in text.splitlines()]
        code = [line for line in lines if len(line) > 4 and not line.startswith(("#", "from ", "import ", '"""'))]
        for start in range(len(code) - RUN + 1):
            places[tuple(code[start : start + RUN])].add(path)
    return len({pair for paths in places.values() for pair in combinations(sorted(paths), 2)})


if __name__ == "__main__":
    main()
