"""Kill `train` and `run` with SIGKILL at random moments, again and again, and start them again: nothing is lost.

    python tests/benchmarks/kill_at_random.py [KILLS]

The training must end bit for bit as one that was left alone, and the folder with the same files.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

TRANSLATE = [sys.executable, "-m", "translate"]
TRAIN_SETTINGS = (
    "training.steps=3000",
    "training.batch_size=2",
    "training.checkpoint_minutes=0.02",
    "training.log_every=5",
    "training.sample_every=20",
    "training.validate_every=20",
    "model.generator.width=16",
    "data.crop.size=64",
)
PICTURES = 2500


def make_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    for index in range(count):
        noise = Image.effect_noise((96 + index % 7, 80), 60).convert("RGB")
        noise.save(folder / f"{index:03d}.{'jpg' if index % 2 else 'png'}")


def run_until_done(command: list[str], kills: int, longest: float, where: Path) -> int:
    """Start a command and kill it at a random moment, `kills` times, then let it finish; returns the kills that hit."""
    hits = 0
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(random.uniform(1.0, longest))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            hits += 1
        process.wait()
        no_half_file(where)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return hits


def no_half_file(folder: Path) -> None:
    """What must hold after every kill: whatever is there can be read whole."""
    for path in folder.rglob("*"):
        if path.suffix in (".png", ".jpg") and not path.name.startswith("."):
            with Image.open(path) as picture:
                picture.load()
        if path.name == "state.pt":
            torch.load(path, weights_only=True)


def same_state(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same_state(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and all(same_state(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    random.seed(0)
    work = Path(tempfile.mkdtemp())
    make_photos(work / "photos", 12)
    settings = [word for setting in TRAIN_SETTINGS for word in ("--set", setting)]
    train = [*TRANSLATE, "train", "restore", "--data", str(work / "photos"), *settings, "--out"]
    subprocess.run([*train, str(work / "calm")], check=True, capture_output=True)
    hits = run_until_done([*train, str(work / "killed")], kills, 9.0, work / "killed")
    states = [torch.load(work / name / "state.pt", weights_only=True) for name in ("calm", "killed")]
    assert same_state(*states), "the killed training ended differently"
    metrics = [(work / name / "metrics.jsonl").read_text().count("losses") for name in ("calm", "killed")]
    assert metrics[0] == metrics[1], metrics
    print(f"train: killed {hits} times of {kills}; ended bit for bit as the one left alone")

    make_photos(work / "many", PICTURES)
    run = [*TRANSLATE, "run", str(work / "calm"), str(work / "many")]
    subprocess.run([*run, str(work / "calm-out"), "--batch", "1"], check=True, capture_output=True)
    killed = [*run, str(work / "killed-out"), "--on-exists", "skip", "--batch", "1"]
    hits = run_until_done(killed, kills, 7.0, work / "killed-out")
    outs = [
        {path.name: path.read_bytes() for path in (work / name).iterdir() if path.suffix in (".png", ".jpg")}
        for name in ("calm-out", "killed-out")
    ]
    assert outs[0] == outs[1]
    assert len(outs[0]) == PICTURES
    assert not [path for path in (work / "killed-out").iterdir() if "partial" in path.name], "leftovers"
    print(f"run: killed {hits} times of {kills}; {PICTURES} files, each as in the run left alone")


if __name__ == "__main__":
    main()
