"""A good guest: importing the package and using every public function leaves the host's process as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

TESTS = Path(__file__).parent
FORMAT_1 = TESTS / "fixtures" / "format_1"


@pytest.fixture
def pictures(photos: Path) -> Path:
    """A folder of files that each of the libraries has to read: Pillow, OpenCV and tifffile."""
    draws = np.random.default_rng(0)
    deep = draws.integers(0, 65536, (40, 36, 3)).astype(np.uint16)
    cv2.imwrite(str(photos / "deep.png"), deep)
    tifffile.imwrite(photos / "planes.tif", deep.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    return photos


def test_the_hosts_process_stays_as_it_was(pictures: Path, sampler_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(TESTS / "host_program.py"), str(pictures), str(FORMAT_1 / "run"), str(sampler_file)]
    # Two threads that wait by spinning take many times as long where other tests keep the cores busy.
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"changes": {}, "living": [], "new thread": 2}
    assert done.stderr == ""
