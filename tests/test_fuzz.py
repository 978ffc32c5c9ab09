"""A small, fixed share of the fuzzing in tests/benchmarks/fuzz.py: damage ends in a sentence, and runs nothing."""

import importlib
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
INPUTS = 12  # for each seed, which keeps all targets together within ten seconds


def _load() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))  # benchmarks import one another as scripts do
    try:
        return importlib.import_module("fuzz_targets")
    finally:
        sys.path.remove(str(BENCHMARKS))


targets = _load()


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Return the data with one to four changes: a bit, a byte, a number, a cut, a copy or an end."""
    result = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(result) + 1)
        length = draw.randint(1, 16)
        kind = draw.randrange(6)
        if kind == 0 and place < len(result):
            result[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            result[place : place + 1] = draw.randbytes(1)
        elif kind == 2:
            result[place : place + 4] = draw.choice([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"])
        elif kind == 3:
            del result[place : place + length]
        elif kind == 4:
            source = draw.randrange(len(result) + 1)
            result[place:place] = result[source : source + length]
        else:
            del result[max(place, len(result) // 2) :]
    return bytes(result)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_damage_ends_in_a_sentence(name: str, tmp_path: Path) -> None:
    target = targets.TARGETS[name]
    draw = random.Random(name)
    for index, seed in enumerate(target.seeds()):
        for count in range(INPUTS):
            folder = tmp_path / f"{index}-{count}"
            folder.mkdir()
            targets.run(target, mutate(seed, draw), folder)


@pytest.mark.parametrize("name", [name for name in targets.TARGETS if name not in {"picture files", "TIFF files"}])
def test_a_seed_is_good(name: str, tmp_path: Path) -> None:
    target = targets.TARGETS[name]
    target.use(target.seeds()[0], tmp_path)  # else the mutants would test the first check only


def test_a_pickle_starts_no_program() -> None:
    script = (
        "import sys, tempfile, pathlib; sys.path.insert(0, sys.argv[1]); import fuzz_targets as f; "
        "f.forbid_execution(); t = f.TARGETS['states of runs']; "
        "f.run(t, t.seeds()[1], pathlib.Path(tempfile.mkdtemp()))"
    )
    subprocess.run([sys.executable, "-c", script, str(BENCHMARKS)], check=True, timeout=120)
