"""Who may import whom, and which libraries have one home: read from the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("translate", "models", "datasets")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HELPERS = (
    "__init__",
    "apply",
    "contract",
    "labels",
    "metrics",
    "optimizers",
    "published",
    "two_domains",
)  # models/*.py that are none
TRANSLATORS = {path.stem for path in (ROOT / "models").glob("*.py") if path.stem not in HELPERS}
CODECS = "datasets.codecs"
# From the top of the house down: a room imports from the floors below its own, and from itself.
FLOORS = (
    ("translate.__main__",),
    ("translate.cli",),
    ("translate.demo", "translate.doctor"),
    ("translate.evaluation", "translate.exchange", "translate.training"),
    ("translate.inpainting",),
    ("translate.sampling",),
    ("translate.folders",),
    ("translate.inference",),
    # What several rooms share.
    (
        "translate.experiment",
        "translate.files",
        "translate.gpu_flags",
        "translate.hardware",
        "translate.migrations",
        "translate.process",
        "translate.recipes",
        "translate.remembered",
        "translate.run_folder",
        "translate.settings",
        "translate.sheet",
    ),
    ("models",),
    ("datasets",),
)
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it: of `from a import b`, both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def room_of(module: str) -> str | None:
    """The room that a module of ours belongs to; None: the package itself, whose names are looked up late."""
    return next((room for room in ROOMS if within(module, room)), None)


IMPORTS = {module_of(path): set(imports_of(path)) for path in SOURCES}


def crossings(importer: str, *imported: str) -> set[tuple[str, str]]:
    """Which modules within `importer` import something within one of `imported`."""
    return {
        (module, name)
        for module, names in IMPORTS.items()
        if within(module, importer)
        for name in names
        if any(within(name, package) for package in imported)
    }


def test_the_sources_are_all_there() -> None:
    assert {"translate.cli.run", "models.backbones.unet", "models.losses.adversarial", "datasets.codecs.images"} <= set(
        IMPORTS
    )
    assert "pix2pix" in TRANSLATORS
    assert crossings("translate", "models")
    assert crossings("models", "datasets.contract")


def test_every_module_has_a_room() -> None:
    assert {module for module in IMPORTS if room_of(module) is None} == {"translate"}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_from_the_floors_below(room: str) -> None:
    upward = {
        (module, name)
        for module, names in IMPORTS.items()
        if room_of(module) == room
        for name in names
        if (other := room_of(name)) is not None
        and other != room
        # Neighbours among what several rooms share may know each other.
        and ROOMS[other] <= ROOMS[room] - (ROOMS[room] == ROOMS["translate.files"])
    }
    assert not upward


def test_models_know_neither_the_application_nor_files() -> None:
    assert not crossings("models", "translate")
    allowed = ("datasets.contract", "datasets.errors")
    others = {name for _, name in crossings("models", "datasets") if name != "datasets"}
    assert not {name for name in others if not any(within(name, package) for package in allowed)}


@pytest.mark.parametrize("own", ["models.backbones", "models.losses"])
def test_backbones_and_losses_know_nobody_else(own: str) -> None:
    assert not {pair for pair in crossings(own, *PACKAGES) if not within(pair[1], own)}


def test_backbones_need_nothing_but_torch() -> None:
    outside = {
        name.split(".")[0] for module in IMPORTS if within(module, "models.backbones") for name in IMPORTS[module]
    }
    assert outside <= {"torch", "models", "collections", "functools", "itertools", "math", "typing"}


def test_the_core_knows_no_translator() -> None:
    assert not crossings("models.core", *(f"models.{name}" for name in TRANSLATORS))


@pytest.mark.parametrize("translator", sorted(TRANSLATORS))
def test_translators_do_not_know_each_other(translator: str) -> None:
    assert not crossings(f"models.{translator}", *(f"models.{name}" for name in TRANSLATORS - {translator}))


def test_albumentations_has_one_home() -> None:
    assert {module for package in PACKAGES for module, _ in crossings(package, "albumentations")} == {
        "datasets.augment"
    }


def test_picture_libraries_are_known_to_codecs_only() -> None:
    foreign = {pair for package in PACKAGES for pair in crossings(package, "PIL", "tifffile", "imageio", "skimage.io")}
    assert ("datasets.codecs.decoding", "PIL.Image") in foreign
    # Python callers may bring Pillow's pictures.
    in_memory = {"PIL", "PIL.Image", "PIL.Image.Image", "PIL.Image.fromarray", "PIL.ImageOps"}
    assert not {(module, name) for module, name in foreign if not within(module, CODECS) and name not in in_memory}


def test_pictures_are_decoded_and_encoded_by_codecs_only() -> None:
    coding = {"imread", "imwrite", "imdecode", "imencode", "imreadmulti", "imwritemulti", "decode_image", "save_image"}
    found = {
        (module_of(path), node.attr)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (node.attr in coding or (node.attr == "open" and ast.unparse(node.value).endswith("Image")))
    }
    assert {("datasets.codecs.decoding", "imdecode"), ("datasets.codecs.decoding", "open")} <= found
    assert all(within(module, CODECS) for module, _ in found)


def test_pickle_is_used_nowhere_but_for_states_read_without_code() -> None:
    pickling = {name for package in PACKAGES for _, name in crossings(package, "pickle", "joblib", "dill")}
    assert pickling <= {"pickle", "pickle.UnpicklingError"}
    loads = [
        {keyword.arg: keyword.value for keyword in node.keywords}
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert loads
    assert all(ast.unparse(keywords["weights_only"]) == "True" for keywords in loads)
