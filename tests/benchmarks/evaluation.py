"""Are our figures those of scikit-image and torch-fidelity, over folders of real pictures, and how long do they take?

    python tests/benchmarks/evaluation.py PHOTOS [COUNT] [INCEPTION_WEIGHTS]

COUNT photographs (12) are cut to 256 pixels on a side, and blurred and saved as JPEG. PSNR and SSIM are compared with
scikit-image's, and distances of Inception's features with torch-fidelity's own command. Without a file of weights,
Inception has random ones: the way is the same, whatever they are.
"""

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.metrics
import torch
from measure import commit
from PIL import Image, ImageFilter
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from translate.evaluation.folders import evaluate_folders
from translate.evaluation.metrics.sets import frechet_distance

SIDE = 256


def make_folders(photos: Path, folder: Path, count: int) -> None:
    for name in ("real", "output"):
        (folder / name).mkdir()
    files = sorted(photos.glob("*.png"))
    for path in files[:: max(1, len(files) // count)][:count]:
        with Image.open(path) as whole:
            part = whole.convert("RGB").crop((0, 0, SIDE, SIDE))
        part.save(folder / "real" / f"{path.stem}.png")
        part.filter(ImageFilter.GaussianBlur(1)).save(folder / "output" / f"{path.stem}.jpg", quality=75)


class FreshInception(FeatureExtractorInceptionV3):  # type: ignore[misc]
    """Inception with the weights of a new network."""

    def load_state_dict(self, *_: object, **__: object) -> None:
        pass


def random_inception(path: Path) -> None:
    torch.manual_seed(0)
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    network = FreshInception("inception-v3-compat", ["2048"], feature_extractor_weights_path=nothing)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):  # by which features keep their scale from layer to layer
            torch.nn.init.kaiming_normal_(layer.weight)
    torch.save(network.state_dict(), path)


def compare_pairs(folder: Path) -> None:
    started = time.perf_counter()
    ours = evaluate_folders(folder / "output", folder / "real", metrics=["l1", "psnr", "ssim"])
    print(f"{len(ours.pictures)} pairs in {time.perf_counter() - started:.1f} s")
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    values: dict[str, list[float]] = {"psnr_rgb": [], "ssim_rgb": [], "psnr_y": [], "ssim_y": []}
    for path in sorted((folder / "real").iterdir()):
        with Image.open(path) as real, Image.open(folder / "output" / f"{path.stem}.jpg") as output:
            one, other = np.asarray(real), np.asarray(output)
        lumas = [16 + pixels.astype(np.float64) @ [65.481, 128.553, 24.966] / 255 for pixels in (one, other)]
        values["psnr_rgb"].append(skimage.metrics.peak_signal_noise_ratio(one, other, data_range=255))
        values["ssim_rgb"].append(skimage.metrics.structural_similarity(one, other, channel_axis=2, **window))
        values["psnr_y"].append(skimage.metrics.peak_signal_noise_ratio(*lumas, data_range=255))
        values["ssim_y"].append(skimage.metrics.structural_similarity(*lumas, **window))
    for name, theirs in values.items():
        print_row(name, ours.figures[name].value, float(np.mean(theirs)), "scikit-image")


def compare_sets(folder: Path, weights: Path) -> None:
    started = time.perf_counter()
    names = ["fid", "kid", "precision-recall"]
    ours = evaluate_folders(folder / "output", folder / "real", metrics=names, features=[weights])
    print(f"sets in {time.perf_counter() - started:.1f} s")
    count = len(list((folder / "real").iterdir()))
    started = time.perf_counter()
    command = [
        "-m", "torch_fidelity.fidelity", "--input1", str(folder / "output"), "--input2", str(folder / "real"), "--cpu",
        "--fid", "--kid", "--prc", "--kid-subset-size", str(count), "--feature-extractor", "inception-v3-compat",
        "--feature-extractor-weights-path", str(weights), "--json", "--silent", "--save-cpu-ram", "--no-cache",
    ]  # fmt: skip
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    print(f"torch-fidelity in {time.perf_counter() - started:.1f} s")
    lines = (line.split(":") for line in ended.stdout.splitlines() if ":" in line)
    theirs = {name.strip(' "'): value.strip(" ,") for name, value in lines}
    keys = {
        "fid": "frechet_inception_distance",
        "frechet_distance": "frechet_inception_distance",
        "kid": "kernel_inception_distance_mean",
        "kernel_distance": "kernel_inception_distance_mean",
        "precision": "precision",
        "recall": "recall",
    }
    for name, figure in ours.figures.items():
        print_row(name, figure.value, float(theirs[keys[name]]), "torch-fidelity")


def time_root() -> None:
    draws = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2500, 2048, generator=draws) for _ in range(2))
    started = time.process_time()
    frechet_distance(first, second)
    print(f"the distance of 2,500 times 2,048 features: {time.process_time() - started:.1f} processor seconds")


def print_row(name: str, ours: float, theirs: float, whose: str) -> None:
    print(f"{name:<18} ours {ours:12.6f}   {whose} {theirs:12.6f}   difference {ours - theirs:+.2e}")


def main() -> None:
    count = int(sys.argv[2]) if sys.argv[2:] else 12
    print(f"commit {commit()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folders(Path(sys.argv[1]), folder, count)
        compare_pairs(folder)
        weights = Path(sys.argv[3]) if sys.argv[3:] else folder / "inception.pth"
        if not sys.argv[3:]:
            random_inception(weights)
        compare_sets(folder, weights)
    time_root()


if __name__ == "__main__":
    main()
