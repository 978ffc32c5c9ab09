"""Every mistake on a command line gets one sentence and the exit code of its kind, and nothing is written."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import save_file
from torch import zeros

ROOT = Path(__file__).parents[3]
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Path:
    """A folder with good and bad things to name on a command line; nothing in it ever changes."""
    place = tmp_path_factory.mktemp("place")
    pictures = {"photos/a.png": 20, "photos/b.png": 24, "lonely/A/1.png": 20, "lonely/B/2.png": 20}
    for name, side in {**pictures, "unequal/A/1.png": 20, "unequal/B/1.png": 24, "taken/a.png": 20}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side)).save(place / name)
    (place / "empty").mkdir()
    model = model_file.read_bytes()
    (place / "good.safetensors").write_bytes(model)
    (place / "cut.safetensors").write_bytes(model[: len(model) // 2])
    save_file({"weight": zeros(1)}, place / "foreign.safetensors")
    (place / "notes.txt").write_text("no picture, no model")
    (place / "broken.yaml").write_text("model: [")
    (place / "list.yaml").write_text("- pix2pix")
    return place


MISTAKES = [
    ("train pix2pixx --data photos --out new", 2, r"pix2pixx: there is no such recipe; did you mean pix2pix\?"),
    ("train gone.yaml --data photos --out new", 2, r"gone\.yaml: there is no such file"),
    ("train broken.yaml --data photos --out new", 2, r"broken\.yaml: cannot be read as YAML"),
    ("train list.yaml --data photos --out new", 2, r"list\.yaml: expected the sections model, data and training"),
    ("train notes.txt --data photos --out new", 2, r"notes\.txt: expected a recipe's name or a YAML file"),
    (
        "train restore --data photos --out new --set training.stepz=3",
        2,
        r"--set training\.stepz=3: unknown; did you mean steps",
    ),
    ("train restore --data photos --out new --set training.steps", 2, r"training\.steps: expected section\.key="),
    (
        "train restore --data photos --out new --set training.steps=many",
        2,
        r"--set training\.steps=many: expected a whole number",
    ),
    (
        "train restore --data photos --out new --set training.steps=0",
        2,
        r"--set training\.steps=0: expected 1 or more, found 0",
    ),
    ("train restore --data photos --out new --set model.name=cyclegun", 2, "model.*cyclegun"),
    ("train restore --data photos --out new --set training=3", 2, "training"),
    ("train restore --data photos --out new --set training.steps.more=3", 2, "steps is a value and has no parts"),
    ("train restore --data photos --out new --set model.channels_in=1", 2, "channels"),
    ("train restore --data photos --out new --set data.pairs.strength=1e9", 5, "noise: strength is .* from 1 to 100"),
    ("train restore --data gone --out new", 5, "gone: expected a folder, found nothing"),
    ("train restore --data notes.txt --out new", 5, r"notes\.txt: expected a folder, found a file"),
    ("train restore --data empty --out new", 5, "empty: found no pair of pictures to learn from"),
    ("train pix2pix --data gone --out new", 5, "gone: expected a folder, found nothing"),
    ("train pix2pix --data photos --out new", 5, "photos: expected the folders A and B, found no folders"),
    ("train pix2pix --data lonely --out new", 5, "lonely: 2 of its pictures cannot be used.*skip_bad"),
    ("train pix2pix --data unequal --out new", 5, "unequal: 1 of its pictures cannot be used.*skip_bad"),
    ("train restore --data photos --out taken", 2, "taken: is not empty and holds no run; choose another --out"),
    ("train restore --data photos --out notes.txt", 2, r"notes\.txt: "),
    ("train restore --data photos --out new --device cuda:99", 2, "--device cuda:99: this machine has none"),
    ("train restore --data photos --out new --init-from gone", 6, "gone: there is no such model file"),
    ("run gone.safetensors photos new", 6, r"gone\.safetensors: there is no such model file"),
    ("run cut.safetensors photos new", 6, r"cut\.safetensors: is cut off: it ends after"),
    ("run foreign.safetensors photos new", 6, r"foreign\.safetensors: is of no architecture that can be imported"),
    ("run notes.txt photos new", 6, r"notes\.txt: cannot be read as a model file"),
    ("run photos photos new", 6, r"photos: expected a run folder with last\.safetensors"),
    ("run good.safetensors gone new", 4, "gone: there is no such file or folder"),
    ("run good.safetensors empty new", 4, "empty: holds no picture"),
    ("run good.safetensors notes.txt new", 4, r"notes\.txt: is no picture"),
    ("run good.safetensors photos photos", 2, "photos: lies in the folder that is read"),
    ("run good.safetensors photos photos/new", 2, "photos/new: lies in the folder that is read"),
    ("run good.safetensors photos notes.txt", 2, r"notes\.txt: is a file; a folder of pictures needs a folder"),
    ("run good.safetensors photos taken", 2, r"taken/a\.png: exists; .*--on-exists"),
    (
        "run good.safetensors photos new --device cuda:99",
        2,
        "--device cuda:99: this machine has none; choose auto",
    ),
    (
        "run good.safetensors photos new --device toaster",
        2,
        "--device toaster: this machine has none; choose auto",
    ),
    ("run good.safetensors photos new --precision int3", 2, "--precision int3: .*auto, fp32"),
    ("run good.safetensors photos new --batch 0", 2, "--batch: expected 1 or more"),
    ("run good.safetensors photos new --batch abc", 2, "--batch: expected a whole number"),
    ("run good.safetensors photos new --shard 3/2", 2, "--shard: .*expected i/n"),
    ("run good.safetensors photos new --shard x", 2, "--shard: "),
    ("run good.safetensors photos new --shard 1/2/3", 2, "--shard: "),
    ("run good.safetensors photos new --shard 3/3", 4, "shard 3/3 of 2 pictures is empty"),
    ("run good.safetensors photos new --work-size 0", 2, "--work-size: expected 1 or more"),
    ("run good.safetensors photos new --work-size abc", 2, "--work-size: expected a whole number"),
    (
        "run good.safetensors photos new --on-exists maybe",
        2,
        "--on-exists: expected error, skip or overwrite, found 'maybe'",
    ),
    ("run good.safetensors photos new --to nowhere", 2, "--to nowhere: this model has no domains"),
    ("run good.safetensors photos new --format psd", 2, "--format: expected .*png.* found 'psd'"),
    ("run good.safetensors photos new --quality 101", 2, "--quality: expected 100 or less"),
    ("run good.safetensors photos new --background nocolour", 2, "--background: .*nocolour"),
    ("run good.safetensors photos/a.png new.jpg --format png", 2, r"new\.jpg: is no name of a PNG; leave --format out"),
    ("run good.safetensors new", 2, "IN: name a picture or a folder before OUT, or a list of them with --from-file"),
    (
        "run good.safetensors photos new --from-file notes.txt",
        2,
        "--from-file notes.txt: names what is read; leave",
    ),
    ("run good.safetensors new --from-file gone.txt", 4, "--from-file gone.txt: there is no such list"),
    ("run good.safetensors photos/a.png new --watch", 2, "--watch: expected one folder, found photos/a.png"),
    ("run good.safetensors photos new --watch --compare", 2, "--compare: has no meaning with --watch; leave it out"),
    (
        "run good.safetensors photos/a.png photos/b.png new.png",
        2,
        r"new\.png: is the name of one picture, and 2 ",
    ),
    ("run good.safetensors photos new --quality 50", 2, "--quality: has no meaning for PNG; leave it out"),
    ("sample gone new", 6, "gone: there is no such model file"),
    ("sample good.safetensors new", 6, r"good\.safetensors: translates pictures and makes none .*`translate run`"),
    ("sample good.safetensors new --interpolate 1,2 --manifold", 2, "--interpolate and --manifold: exclude each other"),
    ("sample good.safetensors new --arithmetic a --manifold", 2, "--arithmetic and --manifold: exclude each other"),
    ("sample good.safetensors new --manifold --count 3", 2, "--count: has no meaning with --manifold; leave it out"),
    ("sample good.safetensors new --interpolate 1,2 --seed 0", 2, "--seed: has no meaning with --interpolate"),
    ("sample good.safetensors new --arithmetic a --grid", 2, "--grid: has no meaning with --arithmetic"),
    ("sample good.safetensors new --axes 0,1", 2, "--axes: has a meaning only with --manifold"),
    ("sample good.safetensors new --batch 0", 2, "--batch: expected 1 or more"),
    (
        "sample good.safetensors new --on-exists maybe",
        2,
        "--on-exists: expected error, skip or overwrite, found 'maybe'",
    ),
    ("sample good.safetensors new --format psd", 2, "--format: expected .*png.* found 'psd'"),
    ("sample good.safetensors new --format keep", 2, "--format keep: there is no file whose format to keep"),
    ("data degrade rust photos new", 2, "rust: there is no such degradation; there are gray, edges"),
    ("data degrade blur photos new --strength 1000", 5, "blur: strength is the Gaussian's .*, from 0.1 to 20, and"),
    ("data degrade blur photos new --strength nan", 5, "blur: strength is .*nan"),
    ("data degrade blur gone new", 4, "gone: there is no such file or folder"),
    ("data degrade blur empty new", 4, "empty: holds no picture"),
    ("data degrade blur photos photos", 2, "photos: lies in the folder that is read"),
    ("data degrade blur photos taken", 2, r"taken/a\.png: exists"),
    ("model info gone", 6, "gone: there is no such model file"),
    ("model info notes.txt", 6, r"notes\.txt: cannot be read as a model file"),
    ("model list gone", 2, "gone: expected a folder"),
    ("recipes show gone", 2, "gone: there is no such recipe"),
    ("recipes show broken.yaml --full", 2, r"broken\.yaml: cannot be read as YAML"),
    # What newcomers mistype.
    ("train cycle-gan --data photos --out new", 2, r"cycle-gan: there is no such recipe; did you mean cyclegan\?"),
    ("train pix2pix --data lonly --out new", 5, r"lonly: expected a folder, found nothing; did you mean lonely\?"),
    ("train restore --data photos --out new --set lr=0.1", 2, "--set lr=0.1: names no section; did you mean model"),
    (
        "train restore --data photos --out new --set training.batchsize=4",
        2,
        r"batchsize=4: unknown; did you mean batch_s",
    ),
    ("train restore --data photos --out new --set data.crop.size=big", 2, "size=big: expected a whole number"),
    ("train pix2pix --data photos --out new --set data.crop.size=100", 2, r"--set data\.crop\.size=100: .*set data\."),
    ("train restore --data photos --out new --set data.pairs.degradation=jpg", 2, r"did you mean jpeg\?"),
    ("train restore --data photos --out photos/run", 2, "photos/run: lies in the folder of training data"),
    ("run upscale-x5 photos new", 6, r"upscale-x5: there is no such model file; did you mean upscale-x4\?"),
    ("run good.safetensors foto new", 4, r"foto: there is no such file or folder; did you mean photos\?"),
    ("run good.safetensor photos new", 6, r"good\.safetensor: .*did you mean good\.safetensors\?"),
    ("run good.safetensors photos new --best", 6, "--best good.safetensors: expected a run folder"),
    ("run good.safetensors photos new --on-exists skp", 2, r"--on-exists: expected .*; did you mean skip\?"),
    ("upscale photos new --scale 8", 2, "--scale 8: .* enlarge 2, 3, 4 times"),
    ("upscale photos new --input jpeg", 2, "--input jpeg: expected auto, clean, compressed, damaged"),
    ("upscale photos new --best", 2, "--best: is for a run folder of yours; name it with --model"),
    ("upscale photos new --format pgn", 2, r"--format: expected .*; did you mean png\?"),
    ("inpaint photos new", 2, "nothing says what is hole: name masks with --mask"),
    ("inpaint photos new --mask alfa", 4, r"--mask alfa: .*did you mean alpha\?"),
    ("inpaint photos new --mask photos/a.png --model tela", 6, r"tela: .*did you mean telea\?"),
    (
        "inpaint photos new --mask photos/a.pgn",
        4,
        r"a\.pgn: there is no such file or folder; did you mean photos/a\.png",
    ),
    ("sample upscale-x4 new", 6, "upscale-x4: translates pictures and makes none from noise"),
    ("data preview gann --data photos --out sheet.png", 2, r"gann: .*did you mean gan\?"),
    ("data preview gan --data photos --out sheet", 2, "sheet: expected the name of a picture file, such as sheet.png"),
    ("data preview gan --data photos --out photos/sheet.png", 2, "lies in the folder of training data"),
    ("data degrade jpg photos new", 2, r"jpg: there is no such degradation; did you mean jpeg\?"),
    ("data degrade blur foto new", 4, r"foto: .*did you mean photos\?"),
    ("data masks freeform new", 2, r"freeform: there is no such kind of mask; did you mean free-form\?"),
    ("data masks thick", 2, "thick: name a kind of random mask before it"),
    ("data masks thick new --like gone", 5, "gone: expected a folder, found nothing"),
    ("data mixture rings new", 2, r"rings: .*did you mean ring\?"),
    ("recipes show pix2pix2", 2, r"pix2pix2: .*did you mean pix2pix\?"),
    ("model info upscale", 6, r"upscale: .*did you mean upscale-x4\?"),
    ("model info photos --best", 6, "--best photos: has no best.safetensors"),
    ("eval probe upscale-x4 --data photos --labels 10", 6, "upscale-x4: a srgan model has no encoder"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_gets_one_sentence_and_its_exit_code(
    command: Command, place: Path, monkeypatch: pytest.MonkeyPatch, line: str, code: int, sentence: str
) -> None:
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    ended = command(*shlex.split(line))
    assert re.search(rf"^error: .*{sentence}", ended.err, re.MULTILINE), ended.err
    assert ended.err.count("error: ") == 1
    assert "Traceback" not in ended.err
    assert (ended.code, ended.out) == (code, "")
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        *(
            "nonsense",
            "run",
            "run --nonsense a b c",
            "train restore",
            "run a b c --limit 0",
            "recipes lst",
            "trane pix2pix",
        ),
        *("recipes schema pix2pix", "demo --steps 3", "doctor extra", "data mixture ring", "eval probe a --data b"),
        *("sample a b --count 0", "data mixture ring new --count -3", "--verion"),
    ],
)
def test_what_cannot_be_parsed_is_a_usage_error(command: Command, line: str) -> None:
    ended = command(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: translate" in ended.err
    assert "Traceback" not in ended.err
