"""The demo, for some seconds instead of minutes: everything it promises is there."""

import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from datasets.codecs.images import read_picture

FILLED = ("unseen", "filled", "masks")


def test_the_demo_leaves_a_sheet_a_report_and_an_honest_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "translate", "demo", "--out", str(tmp_path / "demo"), "--minutes", "0.05"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = [float(value) for value in re.findall(r"(\d+\.\d+) dB\n", told.stderr)]
    bicubic, upscaled, telea, inpainted, *_ = figures
    assert upscaled > bicubic + 0.3
    assert inpainted > telea
    for name in ("astronaut", "camera", "chelsea"):
        before, after, hole = (read_picture(tmp_path / "demo" / f"{kind}/{name}.png").pixels for kind in FILLED)
        assert (after[hole[:, :, 0] == 0] == before[hole[:, :, 0] == 0]).all()
    with Image.open(tmp_path / "demo" / "upscaled.png") as sheet:
        assert sheet.width == 4 * 256 + 3 * 6
    noisy, median, bilateral, translated = figures[-4:]
    assert noisy < median < bilateral
    assert noisy < translated < bilateral
    assert re.search(r"note: \d+ steps are too few .* --minutes 0\.2 ", told.stderr)  # as three seconds always are
    learned, unseen = ({path.name for path in (tmp_path / "demo" / kind).iterdir()} for kind in ("photos", "unseen"))
    assert len(learned) == 10
    assert len(unseen) == 3
    assert not learned & unseen
    with Image.open(tmp_path / "demo" / "sheet.png") as sheet:
        assert sheet.width > 5 * 200
    assert (tmp_path / "demo" / "run" / "report.html").stat().st_size > 10_000
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2
    assert again.stderr.startswith("error: ")
    assert "--out" in again.stderr
