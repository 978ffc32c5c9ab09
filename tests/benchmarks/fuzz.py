"""Feed the program mutated files and texts, and count what goes wrong.

    python tests/benchmarks/fuzz.py OUT [--inputs 6000] [--target NAME …] [--seed 1]

Needs atheris (`pip install atheris`), which mutates inputs and keeps those that reach new code. Each target runs in a
process of its own, with a limit on time and memory for each input. Under OUT lie the inputs that ended in a fault, with
the traceback beside them; a table of all targets is printed.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

SECONDS_AN_INPUT = 20  # chosen by hand: slow good inputs take 0.3 s
MEMORY_MIB = 3000  # torch and the libraries take 700 of them
RESTARTS = 20  # after a crash, a hang or memory run out, which end the process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--inputs", type=int, default=6000, help="of each target")
    parser.add_argument("--target", action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        feed(options.target[0], options.out, options.inputs, options.seed)
        return
    from fuzz_targets import TARGETS

    print("| target | inputs | seconds | kept as new | faults |\n|---|---|---|---|---|")
    for name in options.target or TARGETS:
        print(run_target(name, options.out / name.replace(" ", "-"), options.inputs, options.seed), flush=True)


def run_target(name: str, folder: Path, inputs: int, seed: int) -> str:
    """Feed a target until enough inputs were tried, and return its line of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    counter = folder / "tried"
    counter.unlink(missing_ok=True)
    start, tried, died = time.monotonic(), 0, 0
    for attempt in range(RESTARTS):
        command = [sys.executable, __file__, str(folder), "--target", name, "--child"]
        command += ["--inputs", str(inputs - tried), "--seed", str(seed + attempt)]
        with (folder / f"log-{attempt}.txt").open("w") as log:
            result = subprocess.run(command, stdout=log, stderr=log, check=False)
        tried = counter.stat().st_size if counter.exists() else 0
        died += result.returncode != 0
        if tried >= inputs or (result.returncode == 0):
            break
    faults = sorted(path.name for path in folder.glob("*.traceback"))
    kept = len(list((folder / "corpus").iterdir()))
    text = f"{len(faults)} tracebacks, {died} ended processes" if faults or died else "none"
    return f"| {name} | {tried} | {time.monotonic() - start:.0f} | {kept} | {text} |"


def feed(name: str, folder: Path, inputs: int, seed: int) -> None:
    """Feed one target in this process, and keep the first input of every kind of fault."""
    import atheris

    with atheris.instrument_imports(include=["datasets", "translate", "PIL"]):
        import fuzz_targets
    target = fuzz_targets.TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for index, data in enumerate(target.seeds()):
        (corpus / f"seed-{index}").write_bytes(data)
    counter = (folder / "tried").open("ab", buffering=0)  # one byte an input, which survives a crash
    fuzz_targets.forbid_execution()

    def use(data: bytes) -> None:
        counter.write(b".")
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
            try:
                fuzz_targets.run(target, data, Path(scratch))
            except Exception as error:
                _keep(error, data, folder)

    limits = [f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MEMORY_MIB}", "-max_len=8192", "-print_final_stats=1"]
    arguments = [sys.argv[0], f"-runs={inputs}", f"-seed={seed}", f"-artifact_prefix={folder}/", *limits, str(corpus)]
    atheris.Setup(arguments, use)
    atheris.Fuzz()


def _keep(error: Exception, data: bytes, folder: Path) -> None:
    """Keep the input, unless one with a fault at the same place is there already."""
    frames = traceback.extract_tb(error.__traceback__)
    place = [type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in frames[-4:])]
    name = hashlib.sha256(json.dumps(place).encode()).hexdigest()[:12]
    if not (folder / f"{name}.traceback").exists():
        (folder / f"{name}.input").write_bytes(data)
        (folder / f"{name}.traceback").write_text("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    main()
