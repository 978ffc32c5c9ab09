"""The manifest knows of every output whether it is whole and what it was made from, whenever its process was killed."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.codecs.images import Picture, write_picture
from datasets.errors import UserError
from translate.folders.jobs import Job
from translate.folders.manifest import Manifest, Outcome
from translate.inference.model import Model

Models = Callable[..., Model]
Run = Callable[..., dict[str, Outcome]]
Noise = Callable[..., Path]
Rights = Callable[[], AbstractContextManager[None]]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "in" / "a.png", Path("a.png"), tmp_path / "out" / "a.png")


def manifest(job: Job, model: str = "m", **options: str) -> Manifest:
    """As the next process opens it."""
    return Manifest(job.output.parent / "manifest.jsonl", model, options)


def ended(job: Job, status: Any) -> Outcome:
    return Outcome(job.name, job.output, status, record={"source": "s"} if status == "ok" else {})


def test_an_output_put_in_place_before_a_kill_is_known_to_be_whole(job: Job) -> None:
    manifest(job).begin(job, "s")
    assert manifest(job).is_current(job, "s")
    assert not manifest(job).is_current(job, "another")
    assert not manifest(job, model="another").is_current(job, "s")
    assert not manifest(job, format="another").is_current(job, "s")
    assert not manifest(job).is_current(replace(job, to="another"), "s")


def test_an_output_that_was_there_before_a_kill_may_be_the_older_one(job: Job) -> None:
    manifest(job)  # what is there came from elsewhere
    job.output.parent.mkdir(parents=True)
    job.output.touch()
    manifest(job).begin(job, "s")
    assert not manifest(job).is_current(job, "s")
    manifest(job).keep(ended(job, "ok"))
    assert manifest(job).is_current(job, "s")


def test_a_failed_write_is_no_output(job: Job) -> None:
    manifest(job).begin(job, "s")
    manifest(job).keep(ended(job, "failed"))
    assert not manifest(job).is_current(job, "s")


def test_a_failure_before_writing_leaves_what_was_known(job: Job) -> None:
    manifest(job).begin(job, "s")
    manifest(job).keep(ended(job, "ok"))
    manifest(job, model="another").keep(ended(job, "failed"))
    assert manifest(job).is_current(job, "s")


def test_a_skipped_picture_keeps_the_line_it_has(job: Job) -> None:
    manifest(job).begin(job, "s")
    manifest(job).keep(ended(job, "ok"))
    before = (job.output.parent / "manifest.jsonl").read_bytes()
    manifest(job).keep(ended(job, "skipped"))
    assert (job.output.parent / "manifest.jsonl").read_bytes() == before


def test_a_line_cut_by_a_kill_spoils_no_other(job: Job) -> None:
    manifest(job).begin(job, "s")
    path = job.output.parent / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert not manifest(job).is_current(job, "s")
    manifest(job).keep(ended(job, "ok"))
    assert manifest(job).is_current(job, "s")
    assert json.loads(path.read_bytes().splitlines()[1])["status"] == "ok"


def test_without_a_place_nothing_is_written(job: Job, tmp_path: Path) -> None:
    nowhere = Manifest(None, "m", {})
    nowhere.begin(job, "s")
    assert nowhere.keep(ended(job, "ok")).notes == ()
    assert not nowhere.is_current(job, "s")
    assert list(tmp_path.iterdir()) == []


def statuses(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.status for name, outcome in outcomes.items()}


def lines_of(manifest: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def random_pixels(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> Pixels:
    pixels: Pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return pixels


def test_the_manifest_tells_each_picture_on_one_line(unchanged: Models, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder = noise(tmp_path / "in", "a.png", "naïve/b.png")
    write_picture(
        Picture(random_pixels(5, 7, 1, dtype=np.uint16), random_pixels(5, 7, dtype=np.uint16)), folder / "deep.png"
    )
    (folder / "bad.png").write_text("no picture")
    run(unchanged(), folder, tmp_path / "out")
    ended = [line for line in lines_of(tmp_path / "out" / "manifest.jsonl") if line["status"] != "writing"]
    assert Counter((line["name"], line["status"]) for line in ended) == Counter(
        [("a.png", "ok"), ("naïve/b.png", "ok"), ("deep.png", "ok"), ("bad.png", "failed")]
    )
    by_name = {line["name"]: line for line in ended}
    assert by_name["deep.png"]["in"] == {"width": 7, "height": 5, "channels": 1, "depth": 16, "alpha": True}
    assert by_name["deep.png"]["out"] == by_name["deep.png"]["in"]
    assert "is text, and not a picture" in by_name["bad.png"]["reason"]
    assert {line["model"] for line in ended} == {"unchanged"}
    assert all(line["v"] == 1 for line in ended)


def test_skip_passes_over_what_is_up_to_date(unchanged: Models, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    run(unchanged(), folder, out, limit=1)
    before = (out / "a.png").stat()
    assert statuses(run(unchanged(), folder, out, on_exists="skip")) == {"a.png": "skipped", "b.png": "ok"}
    after = (out / "a.png").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    again = run(unchanged(), folder, out, on_exists="skip", batch=2, threads=1)  # these change no picture
    assert set(statuses(again).values()) == {"skipped"}


def test_skip_refuses_what_another_source_model_or_option_made(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out, model = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out", unchanged()
    run(model, folder, out)
    written = (out / "a.png").read_bytes()

    def only_b_is_kept(model: Model, kept: set[str], **options: Any) -> None:
        outcomes = run(model, folder, out, on_exists="skip", **options)
        for name, outcome in outcomes.items():
            assert outcome.status == ("skipped" if name in kept else "failed")
            if name not in kept:
                assert "was not made from this input by this model with these options" in (outcome.reason or "")

    only_b_is_kept(replace(model, digest="another"), set())
    only_b_is_kept(model, set(), work_size=8)
    only_b_is_kept(model, set(), save={"metadata": "strip"})
    only_b_is_kept(model, {"a.png", "b.png"})  # and those refusals are not held against the files
    Image.fromarray(random_pixels(12, 10, 3, seed=7)).save(folder / "a.png")
    only_b_is_kept(model, {"b.png"})
    assert (out / "a.png").read_bytes() == written


def test_skip_does_not_take_a_stranger_for_its_own_work(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png"), tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes((folder / "a.png").read_bytes())
    assert statuses(run(unchanged(), folder, out, on_exists="skip")) == {"a.png": "failed"}


@pytest.mark.parametrize("rest", [b'{"v": 1, "name": "b.pn', b"\xff\xfe\x00", b"[]\nnull\n{}\n"])
def test_a_damaged_manifest_is_read_as_far_as_it_goes(
    unchanged: Models, tmp_path: Path, rest: bytes, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png", "c.png"), tmp_path / "out"
    run(unchanged(), folder, out, limit=1)
    with (out / "manifest.jsonl").open("ab") as manifest:
        manifest.write(rest)
    expected = {"a.png": "skipped", "b.png": "ok", "c.png": "ok"}
    assert statuses(run(unchanged(), folder, out, on_exists="skip")) == expected
    assert set(statuses(run(unchanged(), folder, out, on_exists="skip")).values()) == {"skipped"}
    assert b'{"v": 1, "name": "b.png", "status": "ok"' in (out / "manifest.jsonl").read_bytes()


def test_a_failure_while_overwriting_leaves_the_older_file_and_its_doubt(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png"), tmp_path / "out"
    run(unchanged(), folder, out)
    written = (out / "a.png").read_bytes()
    (out / "a.png").rename(out / "kept.png")
    (out / "a.png").mkdir()  # which no file can replace
    failed = run(replace(unchanged(), digest="newer"), folder, out, on_exists="overwrite")
    (out / "a.png").rmdir()
    (out / "kept.png").rename(out / "a.png")
    assert statuses(failed) == {"a.png": "failed"}
    assert (out / "a.png").read_bytes() == written
    assert statuses(run(replace(unchanged(), digest="newer"), folder, out, on_exists="skip")) == {"a.png": "failed"}


def test_a_manifest_that_finds_no_place_is_told_and_does_not_end_the_run(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    (out / "manifest.jsonl").mkdir(parents=True)
    outcomes = run(unchanged(), folder, out)
    assert len(outcomes) == 2
    for outcome in outcomes.values():
        assert "manifest.jsonl" in " ".join([outcome.reason or "", *outcome.notes])
    assert not list(out.rglob("*.partial"))


def test_a_file_that_is_no_manifest_is_not_written_to(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png"), tmp_path / "out"
    out.mkdir()
    (out / "manifest.jsonl").write_text("a list of mine\nwith two lines\n")
    with pytest.raises(UserError, match=r"manifest\.jsonl: is no manifest of this program, which would write there"):
        run(unchanged(), folder, out, on_exists="overwrite")
    assert (out / "manifest.jsonl").read_text() == "a list of mine\nwith two lines\n"
    assert not (out / "a.png").exists()


def test_options_that_change_nothing_in_a_picture_leave_it_up_to_date(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder, out = noise(tmp_path / "in", "a.png", "b.jpg"), tmp_path / "out"
    assert statuses(run(unchanged(), folder, out)) == {"a.png": "ok", "b.jpg": "ok"}
    outcomes = run(unchanged(), folder, out, on_exists="skip", save={"quality": 50})
    assert statuses(outcomes) == {"a.png": "skipped", "b.jpg": "failed"}  # of which only the JPEG would change
    (out / "a.png").unlink()
    assert statuses(run(unchanged(), folder / "a.png", out, on_exists="skip", save={"format": "png"})) == {
        "a.png": "ok"
    }
    assert statuses(run(unchanged(), folder / "a.png", out, on_exists="skip")) == {"a.png": "skipped"}


def test_processes_that_share_a_manifest_leave_whole_lines_only(job: Job) -> None:
    def begin_often() -> None:
        for _ in range(100):
            manifest(job).begin(job, "s" * 50)

    job.output.parent.mkdir(parents=True)
    with ThreadPoolExecutor(4) as pool:  # each with a manifest of its own, as processes have
        writers = [pool.submit(begin_often) for _ in range(4)]
        for writer in writers:
            writer.result()
    lines = (job.output.parent / "manifest.jsonl").read_bytes().split(b"\n")
    assert (len(lines), lines.pop()) == (401, b"")
    assert all(json.loads(line)["status"] == "writing" for line in lines)


def test_after_a_run_in_which_all_failed_the_next_one_goes_on(tmp_path: Path, unchanged: Any, run: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"damaged")
    assert statuses(run(unchanged(), tmp_path / "in", tmp_path / "out")) == {"a.png": "failed"}
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    assert statuses(run(unchanged(), tmp_path / "in", tmp_path / "out", on_exists="skip")) == {"a.png": "ok"}
