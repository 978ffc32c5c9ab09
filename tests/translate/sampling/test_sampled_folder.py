"""Files from a sampler: the same bytes for the same seed, whatever else is made, and a true manifest."""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datasets.codecs.images import SaveOptions
from datasets.errors import UserError
from models.networks.bodies import DCGANBody, MLPBody
from translate.sampling import latents
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampled_folder import sample_folder
from translate.sampling.sampler import LoadedSampler


@pytest.mark.parametrize("body", [MLPBody(hidden=(64, 64)), DCGANBody(width=4)], ids=["mlp", "dcgan"])
def test_the_bytes_of_a_picture_do_not_depend_on_how_many_are_made(
    gan: Callable[..., LoadedSampler], tmp_path: Path, body: Any, sample: Any, files: Any, pixels: Any
) -> None:
    loaded = gan(generator=body, conditional=True, domains=("cat", "dog"))
    sample(loaded, tmp_path / "many", 37)
    sample(loaded, tmp_path / "few", 5)
    sample(loaded, tmp_path / "one", 1, classes=("dog",))
    many, few = files(tmp_path / "many"), files(tmp_path / "few")
    assert len(many) == 74
    assert few == {name: many[name] for name in few}
    assert len(few) == 10
    assert files(tmp_path / "one") == {"dog/000000.png": many["dog/000000.png"]}
    assert len(set(many.values())) == 74
    sample(loaded, tmp_path / "other", 5, seed=1)
    assert not set(files(tmp_path / "other").values()) & set(many.values())
    sample(loaded, tmp_path / "batches", 5, batch=3)
    for name in few:
        difference = pixels(tmp_path / "batches" / name).astype(int) - pixels(tmp_path / "few" / name)
        assert abs(difference).max() <= 1


def test_names_of_classes_become_names_of_folders(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, files: Any
) -> None:
    sample(flat(domains=("T-shirt/top", "..", "Cat", "cat", "日本")), tmp_path / "out", 1)
    assert set(files(tmp_path / "out")) == {
        f"{name}/000000.png" for name in ("T-shirt-top", "1", "2 Cat", "3 cat", "日本")
    }


def test_the_manifest_tells_what_each_file_is_made_from(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any
) -> None:
    sample(flat(domains=("cat", "dog")), tmp_path / "out", 1, seed=7, truncation=0.5)
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    last = {line["name"]: line for line in lines}["dog/000000.png"]
    assert last["source"] == "seed 7, class 1, picture 0, truncated to 0.5"
    assert (last["status"], last["classes"], last["model"]) == ("ok", ["dog"], "some model")


def test_what_exists_is_refused_skipped_or_replaced(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, files: Any
) -> None:
    loaded, out = flat(), tmp_path / "out"
    sample(loaded, out, 2)
    before = files(out)
    with pytest.raises(UserError, match=r"000000\.png: exists, like 1 other output; choose another place"):
        sample(loaded, out, 3, seed=1)
    again = sample(loaded, out, 20, on_exists="skip")
    assert [again[f"{index:06}.png"].status for index in range(3)] == ["skipped", "skipped", "ok"]
    assert {name: files(out)[name] for name in before} == before
    latents_seen: Any = loaded.sampler.seen
    seen = len(latents_seen)
    assert {o.status for o in sample(loaded, out, 20, on_exists="skip").values()} == {"skipped"}
    assert len(latents_seen) == seen
    other = sample(loaded, out, 2, seed=1, on_exists="skip")
    assert {o.status for o in other.values()} == {"failed"}
    assert "was not made from this input" in str(other["000000.png"].reason)
    assert {o.status for o in sample(loaded, out, 2, seed=1, on_exists="overwrite").values()} == {"ok"}
    assert files(out)["000000.png"] != before["000000.png"]


def test_numbers_that_are_none_fail_in_a_sentence(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, files: Any
) -> None:
    loaded = flat()
    loaded.sampler.get_parameter("shift").fill_(math.nan)
    outcomes = sample(loaded, tmp_path / "out", 2)
    reason = "the model's output is not finite; was its training sound?"
    assert [o.reason for o in outcomes.values()] == [f"000000.png: {reason}", f"000001.png: {reason}"]
    assert not files(tmp_path / "out")


def test_a_full_disk_fails_what_finds_no_place(
    gan: Callable[..., LoadedSampler],
    tmp_path: Path,
    no_file_beyond: Callable[[int], AbstractContextManager[None]],
    sample: Any,
    files: Any,
) -> None:
    loaded = gan()
    with no_file_beyond(300):
        outcomes = sample(loaded, tmp_path / "out", 2)
    assert {o.status for o in outcomes.values()} == {"failed"}
    assert all("File too large" in str(o.reason) for o in outcomes.values())  # the picture, or the line about it
    assert not files(tmp_path / "out")


def test_gray_stays_gray_and_formats_are_as_asked(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, pixels: Any
) -> None:
    sample(flat(channels=1), tmp_path / "gray", 1, grid=True)
    assert pixels(tmp_path / "gray" / "000000.png").shape == (4, 4)
    assert pixels(tmp_path / "gray" / "grid.png").ndim == 2
    outcomes = sample(flat(), tmp_path / "jpeg", 1, save=SaveOptions(format="jpeg"))
    assert list(outcomes) == ["000000.jpg"]
    with Image.open(tmp_path / "jpeg" / "000000.jpg") as image:
        assert image.format == "JPEG"


def test_pictures_are_what_the_model_makes_of_their_latents(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, pixels: Any
) -> None:
    loaded = flat(domains=("plain", "dark"))
    outcomes = sample(loaded, tmp_path / "out", 20)
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    for label, name in enumerate(loaded.sampler.domains):
        for index in (0, 17, 19):
            level = latents.sample_latent(loaded.sampler, 0, label, index) / 8 - label / 10
            expected = ((level.clamp(-1, 1) + 1) * 127.5).round().numpy()
            picture = pixels(tmp_path / "out" / name / f"{index:06}.png")
            assert picture.shape == (4, 4, 3)
            assert (picture == expected).all()


def test_python_makes_a_folder_in_one_call(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, files: Any
) -> None:
    loaded = flat(domains=("plain", "dark"))
    options = SampleOptions(classes=("dark",))
    outcomes = list(sample_folder(loaded, tmp_path / "a", 2, 5, grid=True, options=options))
    assert [outcome.name.as_posix() for outcome in outcomes] == ["dark/000000.png", "dark/000001.png", "grid.png"]
    sample(loaded, tmp_path / "b", 2, seed=5, grid=True, classes=("dark",))
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(list(sample_folder(loaded, tmp_path / "c"))) == 2 * 16
