"""The example of datasets/README.md, which adds a kind of data, works as it is printed."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from datasets.contract import DataConfig, Paired, stack
from datasets.errors import DataError

README = Path(__file__).parents[2] / "datasets" / "README.md"


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the README prints."""
    (source,) = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    module = ModuleType("datasets.frames")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, module.__dict__)
    return module


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Twelve frames, each brighter than the one before it."""
    for number in range(12):
        Image.new("RGB", (20, 24), (20 * number,) * 3).save(tmp_path / f"{number}.png")
    return tmp_path


def test_the_example_is_a_kind_of_data(frames: ModuleType, film: Path) -> None:
    settings = {"kind": "frames", "crop": {"load": None, "size": 16}, "validation_fraction": 0.2}
    config = TypeAdapter(frames.FramesConfig).validate_python(settings)
    assert isinstance(config, DataConfig)
    assert (config.batch_type, config.size_key, config.training_size) == (Paired, "data.crop.size", 16)
    assert next(iter(config.model_dump())) == "kind"
    opened = config.open(film)
    assert (len(opened.training), len(opened.validation)) == (9, 2)
    for samples in (opened.training, opened.validation):
        for index in range(len(samples)):
            levels = [round(float((image.mean() + 1) * 127.5)) for image in samples.sample(index, 5)]
            assert levels == [20 * int(Path(samples.name(index)).stem) + step for step in (0, 20)]
    batch = stack([opened.training.sample(index, index) for index in range(4)])
    assert [field.shape for field in batch] == [(4, 3, 16, 16)] * 2
    assert all(torch.equal(*pair) for pair in zip(batch, opened.training.gather(range(4), range(4)), strict=True))


def test_the_example_refuses_a_folder_in_a_sentence(frames: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no 2 frames of one size among 0 pictures"):
        frames.FramesConfig().open(tmp_path)
    with pytest.raises(DataError, match="expected a folder, found nothing"):
        frames.FramesConfig().open(tmp_path / "missing")


def test_the_example_refuses_frames_of_two_sizes_or_skips_them(frames: ModuleType, film: Path) -> None:
    Image.new("RGB", (24, 20)).save(film / "12.png")
    with pytest.raises(DataError, match=r"11\.png: differs in size from 12\.png, 20x24 and 24x20"):
        frames.FramesConfig().open(film)
    opened = frames.FramesConfig(skip_bad=True).open(film)
    assert len(opened.training) + len(opened.validation) == 11
    assert opened.skipped == ("11.png: differs in size from 12.png, 20x24 and 24x20",)


def test_every_file_of_the_package_is_in_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    for path in README.parent.iterdir():
        if path.name not in {"__init__.py", "README.md", "py.typed", "__pycache__"}:
            assert f"`{path.name}{'/' if path.is_dir() else ''}`" in text, path.name


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150
