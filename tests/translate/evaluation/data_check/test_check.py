"""Checks of training data: each kind of damage is found by file name, and good data are left in peace."""

import io
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

from datasets.errors import DataError
from translate.evaluation.data_check.check import check_data
from translate.evaluation.data_check.findings import CheckReport
from translate.evaluation.data_check.page import write_page, write_sheet
from translate.evaluation.data_check.pairs import find_shift

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def crops() -> list[Image.Image]:
    """Sixteen different parts of photographs, 160 pixels on a side, sharpened by halving."""
    parts = []
    for name in PHOTOGRAPHS:
        whole = Image.fromarray(getattr(skimage.data, name)())
        half = whole.resize((whole.width // 2, whole.height // 2), Image.Resampling.LANCZOS)
        corners = [(x, y) for y in (0, half.height - 140) for x in (0, half.width - 140)]
        parts += [half.crop((x, y, x + 140, y + 140)) for x, y in corners]
    return parts


@pytest.fixture
def photographs(tmp_path: Path, crops: list[Image.Image]) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index, crop in enumerate(crops):
        crop.save(folder / f"{index}.png")
    return folder


def as_jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def edges(picture: Image.Image) -> Image.Image:
    """A picture with the outlines of another, as a translator's source."""
    gray = np.asarray(picture.convert("L"), np.float32)
    down, across = np.gradient(gray)
    return Image.fromarray((np.hypot(down, across) > 12).astype(np.uint8) * 255)


@pytest.fixture
def paired(tmp_path: Path, crops: list[Image.Image]) -> Path:
    for side in "AB":
        (tmp_path / "paired" / side).mkdir(parents=True)
    for index, crop in enumerate(crops):
        crop.save(tmp_path / "paired" / "B" / f"img_{index}.png")
        edges(crop).save(tmp_path / "paired" / "A" / f"img_{index}.png")
    return tmp_path / "paired"


def found(report: CheckReport) -> dict[str, set[str]]:
    """The files of all findings by kind."""
    by_kind: dict[str, set[str]] = {}
    for finding in report.findings:
        by_kind.setdefault(finding.kind, set()).update(finding.files)
    return by_kind


def test_good_photographs_are_left_in_peace(photographs):
    report = check_data(photographs)
    assert found(report) == {}
    assert report.layout.kind == "pictures"
    assert report.facts["size"] == {"140x140": 16}
    assert report.facts["format"] == {"PNG": 16}


def test_drawings_of_plain_shapes_do_not_pass_for_blocks(tmp_path):
    draws = np.random.default_rng(0)
    for index in range(40):
        picture = Image.new("RGB", (72, 72), "white")
        pen = ImageDraw.Draw(picture)
        for shape in (pen.ellipse, pen.rectangle) * 3:
            (x, y), (width, height) = draws.integers(2, 40, 2), draws.integers(6, 28, 2)
            shape((x, y, x + width, y + height), fill=tuple(draws.integers(0, 256, 3).tolist()))
        picture.save(tmp_path / f"{index}.png")
    assert "spoiled by JPEG" not in found(check_data(tmp_path))


def test_good_pairs_are_left_in_peace(paired):
    report = check_data(paired, overrides=["data.crop.load=null", "data.crop.size=128"])
    assert found(report) == {}
    assert report.layout.kind == "pairs"
    assert not report.would_fail


def test_every_damage_is_found_by_the_name_of_its_file(photographs, crops):
    (photographs / "broken.png").write_bytes((photographs / "0.png").read_bytes()[:900])
    (photographs / "heic.heif").write_bytes(b"no picture")
    shutil.copy(photographs / "1.png", photographs / "exact.png")
    crops[2].save(photographs / "near.jpg", quality=90)
    crops[3].resize((70, 70)).resize((140, 140), Image.Resampling.BICUBIC).save(photographs / "3.png")
    crops[4].save(photographs / "4.jpg", quality=20)
    (photographs / "4.png").unlink()
    Image.open(io.BytesIO(as_jpeg(crops[7], 15))).save(photographs / "7.png")
    framed = Image.new("RGB", (140, 140), "black")
    framed.paste(crops[5].resize((140, 120)), (0, 10))
    framed.save(photographs / "5.png")
    Image.new("RGB", (140, 140), "teal").save(photographs / "6.png")
    report = check_data(photographs)
    assert found(report) == {
        "unreadable": {"broken.png", "heic.heif"},
        "exact copies": {"1.png", "exact.png"},
        "near copies": {"2.png", "near.jpg"},
        "enlarged or blurred": {"3.png"},
        "spoiled by JPEG": {"4.jpg", "7.png"},
        "border": {"5.png"},
        "shows nothing": {"6.png"},
    }
    assert report.would_fail
    assert [finding.severity for finding in report.findings][:2] == ["error", "error"]
    assert set(report.usable) == {f"{n}.png" for n in range(16)} - {f"{n}.png" for n in (3, 4, 5, 6, 7)}


def test_pairs_without_partners_and_of_unlike_sizes(paired, crops):
    (paired / "A" / "img_3.png").rename(paired / "A" / "IMG_003.png")
    (paired / "B" / "img_4.png").unlink()
    crops[5].resize((100, 100)).save(paired / "B" / "img_5.png")
    shutil.copy(paired / "B" / "img_6.png", paired / "A" / "img_6.png")
    report = check_data(paired)
    by_kind = found(report)
    assert by_kind["no partner"] == {"A/IMG_003.png", "B/img_3.png", "A/img_4.png"}
    assert by_kind["pair of unlike sizes"] == {"A/img_5.png", "B/img_5.png"}
    assert by_kind["pair of one picture"] == {"A/img_6.png", "B/img_6.png"}
    messages = {finding.files: finding.message for finding in report.findings}
    assert messages[("A/IMG_003.png",)] == "has no partner in B; B/img_3.png looks like it"
    assert report.would_fail


def test_a_shifted_pair_is_a_warning(paired, crops):
    shifted = Image.new("RGB", (140, 140))
    shifted.paste(crops[0], (7, -5))
    shifted.save(paired / "B" / "img_0.png")
    report = check_data(paired, overrides=["data.crop.load=null", "data.crop.size=128"])
    (finding,) = (finding for finding in report.findings if finding.kind == "shifted pair")
    assert finding.files == ("A/img_0.png", "B/img_0.png")
    assert finding.severity == "warning"
    assert "to the right and" in finding.message


def test_a_shift_has_its_direction():
    luma = np.asarray(Image.fromarray(skimage.data.astronaut()[:200, :200]).convert("L"), np.float32)
    assert find_shift(luma[:-9, :-6], luma[9:, :-6]) == (0, -9)
    assert find_shift(luma[:-9, 6:], luma[:-9, :-6]) == (6, 0)
    assert find_shift(luma, luma) is None


def test_splits_that_leak(tmp_path, crops):
    for split, indices in (("train", range(8)), ("test", (7, 8))):
        (tmp_path / "split" / split).mkdir(parents=True)
        for index in indices:
            crops[index].save(tmp_path / "split" / split / f"{split}{index}.png")
    crops[3].save(tmp_path / "split" / "test" / "again.jpg", quality=92)
    report = check_data(tmp_path / "split")
    assert found(report)["leak between splits"] == {
        "train/train7.png",
        "test/test7.png",
        "train/train3.png",
        "test/again.jpg",
    }
    assert "train/train7.png" not in report.usable
    assert "test/test7.png" in report.usable


def test_classes_of_unlike_sizes_and_with_the_same_picture(tmp_path, crops):
    for name, indices in (("cat", range(11)), ("dog", [11]), ("owl", [10, 12])):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for index in indices:
            crops[index].save(tmp_path / "classes" / name / f"{name}{index}.png")
    report = check_data(tmp_path / "classes")
    assert report.layout.kind == "class folders"
    assert found(report)["copies in several classes"] == {"cat/cat10.png", "owl/owl10.png"}
    messages = [finding.message for finding in report.findings if finding.kind == "class balance"]
    assert messages == [
        "classes are unbalanced: cat has 11 pictures and dog has 1",
        "fewer than 10 pictures of dog (1), owl (2)",
    ]


def test_masks_with_the_wrong_polarity_or_levels(tmp_path, crops):
    masked = tmp_path / "masked"
    (masked / "masks").mkdir(parents=True)
    for index in range(6):
        crops[index].save(masked / f"{index}.png")
        pixels = np.full((140, 140), 255, np.uint8)
        pixels[40:60, 40:60] = 0
        Image.fromarray(pixels).save(masked / "masks" / f"{index}.png")
    Image.new("L", (140, 140), 0).save(masked / "masks" / "0.png")
    weak = np.zeros((140, 140), np.uint8)
    weak[:50] = 2
    Image.fromarray(weak).save(masked / "masks" / "1.png")
    crops[7].save(masked / "masks" / "2.png")
    report = check_data(masked)
    assert report.layout.kind == "masked"
    by_kind = found(report)
    assert by_kind["mask"] == {"masks/0.png", "masks/2.png"}
    assert by_kind["mask levels"] == {"masks/1.png"}
    assert "mask polarity" in by_kind
    assert report.would_fail


def test_labels_out_of_range(tmp_path):
    rng = np.random.default_rng(0)
    for split, labels in (("train", [0, 1, 2] * 20 + [9]), ("t10k", [0, 1, 7])):
        images = rng.integers(0, 256, (len(labels), 28, 28)).astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", np.array(labels, np.uint8))):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (tmp_path / f"{split}-{name}-ubyte").write_bytes(header + array.tobytes())
    report = check_data(tmp_path)
    assert report.layout.kind == "idx"
    assert found(report)["label out of range"] == {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"}
    assert report.would_fail


@pytest.mark.parametrize(
    ("folders", "kind"),
    [
        ({"A": "abc", "B": "xyz"}, "unpaired"),
        ({"trainA": "abc", "trainB": "abc"}, "pairs"),
        ({"horse": "abc", "zebra": "def", "cow": "ghi"}, "class folders"),
        ({"LR": "abc", "HR": "abc"}, "high-resolution"),
        ({"": "abc"}, "side-by-side"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layouts_are_told_apart(tmp_path, crops, folders, kind):
    pictures = iter(crops)
    for folder, names in folders.items():
        (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            size = {"high-resolution": (140, 140) if folder == "HR" else (70, 70), "side-by-side": (280, 140)}
            next(pictures).resize(size.get(kind, (140, 140))).save(tmp_path / "data" / folder / f"{name}.png")
    assert check_data(tmp_path / "data").layout.kind == kind


def test_tables_tell_attributes_from_classes(photographs):
    rows = "\n".join(f"{index}.png,{index % 2}" for index in range(16))
    (photographs / "labels.csv").write_text(f"file,young\n{rows}", encoding="utf-8")
    assert check_data(photographs).layout.kind == "attributes"
    (photographs / "labels.csv").write_text(f"file,label\n{rows}", encoding="utf-8")
    assert check_data(photographs).layout.kind == "class folders"


def test_a_recipe_says_how_the_folder_is_read(photographs):
    report = check_data(photographs, recipe="pix2pix")
    assert found(report) == {"cannot be trained on": set()}
    assert "expected the folders A and B" in report.findings[0].message


def test_the_page_and_the_sheet_show_the_worst_first(photographs, tmp_path):
    (photographs / "<b>.png").write_bytes(b"broken")
    shutil.copy(photographs / "1.png", photographs / "again.png")
    report = check_data(photographs)
    write_page(report, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.index("unreadable") < text.index("exact copies")
    assert "&lt;b&gt;.png" in text
    assert "<b>.png" not in text
    assert text.count("data:image/png;base64,") == 2
    assert write_sheet(report, tmp_path / "report.png")
    with Image.open(tmp_path / "report.png") as sheet:
        assert sheet.width > 280


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a folder of pictures or of idx files, found neither"):
        check_data(tmp_path)
