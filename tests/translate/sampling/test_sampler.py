"""Samples: the same for the same seed whatever else is asked, what latents go in, and what files come out."""

import csv
import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from scipy.spatial import geometric_slerp
from torch import Tensor

import translate
from datasets.codecs.images import SaveOptions
from datasets.errors import UserError
from models.contract import Sampler
from models.core.gan import GANConfig
from models.networks.bodies import DCGANBody, MLPBody
from translate.experiment import Experiment
from translate.folders.manifest import Outcome
from translate.hardware import Numerics
from translate.inference.model_file import Card
from translate.sampling import latents
from translate.sampling.arithmetic import parse_terms, plan_arithmetic
from translate.sampling.latent_search import project
from translate.sampling.outputs import SampleOptions, SamplePlan, run_samples
from translate.sampling.sampler import LoadedSampler
from translate.sampling.samples import plan_interpolation, plan_manifold, plan_samples


class Flat(Sampler):
    """Makes flat pictures whose level of red, green and blue is an eighth of the latent's: every pixel is known.

    A label makes them darker by a tenth; `seen` counts what it was given at once.
    """

    def __init__(self, latent: int, prior: Any, domains: tuple[str, ...], channels: int) -> None:
        super().__init__()
        self.latent, self.prior, self.domains = latent, prior, domains
        self.channels, self.size = channels, 4
        self.shift = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        self.seen.append(latent.detach().clone())
        level = latent[:, : self.channels] / 8 - label[:, None] / 10 + self.shift
        return level[:, :, None, None].expand(-1, -1, self.size, self.size)


class FlatBothWays(Flat):
    """Flat, with an encoder."""

    def encode(self, image: Tensor) -> Tensor:
        return 8 * image.mean((2, 3))


@pytest.fixture
def flat(tiny: Callable[..., Experiment]) -> Callable[..., LoadedSampler]:
    """`flat(latent=3, prior="normal", domains=(), encodes=False, channels=3)`."""

    def build(
        latent: int = 3, prior: str = "normal", domains: tuple[str, ...] = (), encodes: bool = False, channels: int = 3
    ) -> LoadedSampler:
        return ready((FlatBothWays if encodes else Flat)(latent, prior, domains, channels), tiny)

    return build


@pytest.fixture
def gan(tiny: Callable[..., Experiment]) -> Callable[..., LoadedSampler]:
    """`gan(latent=8, size=16, …)`: the generator of a GAN, drawn wide enough for structure."""

    def build(**settings: Any) -> LoadedSampler:
        torch.manual_seed(0)
        chosen = {"latent": 8, "size": 16, "generator": MLPBody(hidden=(32,)), **settings}
        network = GANConfig(**chosen).translator()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        return ready(network, tiny)

    return build


def ready(network: Sampler, tiny: Callable[..., Experiment]) -> LoadedSampler:
    card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=network.size)
    network = network.eval().requires_grad_(False)
    return LoadedSampler(network, card, "some model", torch.device("cpu"), Numerics("fp32", "contiguous", 1))


def options(**settings: Any) -> SampleOptions:
    return SampleOptions(**settings)


def made(loaded: LoadedSampler, plan: SamplePlan) -> dict[str, Outcome]:
    return {outcome.name.as_posix(): outcome for outcome in run_samples(loaded, plan)}


def sample(loaded: LoadedSampler, out: Path, count: int = 3, seed: int = 0, grid: bool = False, **settings: Any) -> Any:
    return made(loaded, plan_samples(loaded, out, count, seed, grid, options(**settings)))


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.jsonl")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


# Latents


def test_a_latent_is_a_function_of_seed_class_and_index(flat: Callable[..., LoadedSampler]) -> None:
    model = flat(latent=100).sampler
    here = latents.sample_latent(model, 1, 2, 3)
    torch.manual_seed(99)
    assert torch.equal(here, latents.sample_latent(model, 1, 2, 3))
    for other in ((0, 2, 3), (1, 0, 3), (1, 2, 0), (2, 1, 3), (3, 2, 1)):
        assert abs(float(torch.corrcoef(torch.stack([here, latents.sample_latent(model, *other)]))[0, 1])) < 0.4


def test_latents_are_of_the_prior(flat: Callable[..., LoadedSampler]) -> None:
    for prior, law in (("normal", stats.norm()), ("uniform", stats.uniform(-1, 2))):
        model = flat(latent=100, prior=prior).sampler
        numbers = torch.cat([latents.sample_latent(model, 0, 0, index) for index in range(50)])
        assert stats.kstest(numbers, law.cdf).pvalue > 1e-3


def test_truncation_draws_again_what_is_beyond_and_keeps_the_rest(flat: Callable[..., LoadedSampler]) -> None:
    model = flat(latent=200).sampler
    numbers = torch.stack([latents.sample_latent(model, 0, 0, index) for index in range(50)])
    cut = torch.stack([latents.sample_latent(model, 0, 0, index, 0.7) for index in range(50)])
    within = numbers.abs() <= 0.7
    assert torch.equal(cut[within], numbers[within])
    assert 0.4 < within.float().mean() < 0.6
    assert cut.abs().max() <= 0.7
    assert stats.kstest(cut.flatten(), stats.truncnorm(-0.7, 0.7).cdf).pvalue > 1e-3
    assert latents.sample_latent(model, 0, 0, 0, latents.SMALLEST_TRUNCATION).abs().max() <= latents.SMALLEST_TRUNCATION


def test_between_two_latents_goes_along_the_sphere() -> None:
    start, end = torch.randn(2, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start, end = start / start.norm(), end / end.norm()
    shares = np.linspace(0, 1, 7)
    expected = geometric_slerp(start.numpy(), end.numpy(), shares)
    for share, there in zip(shares, expected, strict=True):
        assert np.allclose(latents.slerp(start, end, float(share)).numpy(), there, atol=1e-12)
    # Of any lengths the ends are met, and halfway is no shorter than what normal numbers are.
    assert torch.allclose(latents.slerp(3 * start, 5 * end, 1.0), 5 * end)
    assert float(latents.slerp(4 * start, 4 * end, 0.5).norm()) == pytest.approx(4)
    assert torch.allclose(latents.slerp(start, -start, 0.25), 0.5 * start)
    assert torch.allclose(latents.slerp(start, 2 * start, 0.5), 1.5 * start)


def test_a_way_counts_both_ends_and_each_station_once(flat: Callable[..., LoadedSampler]) -> None:
    stations = [torch.eye(3)[index] for index in (0, 1, 2)]
    round_way = latents.interpolate(flat().sampler, stations, 5)
    straight = latents.interpolate(flat(prior="uniform").sampler, stations, 5)
    assert len(round_way) == len(straight) == 9
    for number, station in zip((0, 4, 8), stations, strict=True):
        assert torch.equal(round_way[number], station)
        assert torch.equal(straight[number], station)
    assert torch.allclose(round_way[2], torch.tensor([math.sqrt(0.5), math.sqrt(0.5), 0.0]))
    assert torch.allclose(straight[2], torch.tensor([0.5, 0.5, 0.0]))
    assert len(latents.interpolate(flat().sampler, stations, 2)) == 3


def test_a_plane_cuts_the_prior_into_cells_of_one_weight(flat: Callable[..., LoadedSampler]) -> None:
    plane = latents.latent_grid(flat(latent=4).sampler, (1, 3), 5).view(5, 5, 4)
    values = torch.from_numpy(stats.norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9])).float()
    assert torch.allclose(plane[:, :, 1], values.expand(5, 5), atol=1e-6)  # to the right
    assert torch.allclose(plane[:, :, 3], values.flip(0)[:, None].expand(5, 5), atol=1e-6)  # upward
    assert not plane[:, :, [0, 2]].any()
    uniform = latents.latent_grid(flat(prior="uniform", latent=2).sampler, (0, 1), 4)
    assert torch.allclose(uniform[:4, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))


# Files


@pytest.mark.parametrize("body", [MLPBody(hidden=(64, 64)), DCGANBody(width=4)], ids=["mlp", "dcgan"])
def test_the_bytes_of_a_picture_do_not_depend_on_how_many_are_made(
    gan: Callable[..., LoadedSampler], tmp_path: Path, body: Any
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


def test_the_model_is_always_given_as_many_at_once(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = flat()
    sample(loaded, tmp_path / "a", 5, batch=4, grid=True)
    assert {len(latent) for latent in loaded.sampler.seen} == {4}


def test_pictures_are_what_the_model_makes_of_their_latents(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
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


def test_a_loaded_sampler_gives_python_the_same_pictures(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = flat(domains=("plain", "dark"))
    sample(loaded, tmp_path / "out", 2, seed=5, truncation=0.5)
    for name in loaded.sampler.domains:
        given = loaded(2, 5, of=name, truncation=0.5)
        assert given.dtype == np.uint8
        assert np.array_equal(given[1], pixels(tmp_path / "out" / name / "000001.png"))
    with pytest.raises(UserError, match="makes plain, dark: choose one class"):
        loaded(2)


def test_a_grid_shows_the_first_pictures(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    sample(flat(), tmp_path / "plain", 7, grid=True)
    sheet = pixels(tmp_path / "plain" / "grid.png")
    assert sheet.shape == (3 * 64 + 2 * 2, 3 * 64 + 2 * 2, 3)  # each pixel of the small pictures 16 times as large
    for index in range(7):
        row, column = divmod(index, 3)
        cell = sheet[66 * row : 66 * row + 64, 66 * column : 66 * column + 64]
        assert (cell == pixels(tmp_path / "plain" / f"{index:06}.png")[0, 0]).all()
    assert (sheet[132:, 66:] == 255).all()
    sample(flat(domains=("plain", "dark")), tmp_path / "classes", 12, grid=True)
    sheet = pixels(tmp_path / "classes" / "grid.png")
    assert sheet.shape[0] == 2 * 64 + 2
    assert (sheet[0, -1] == pixels(tmp_path / "classes" / "plain" / "000009.png")[0, 0]).all()
    assert (sheet[-1, -1] == pixels(tmp_path / "classes" / "dark" / "000009.png")[0, 0]).all()
    assert (sheet[:64, :40] < 128).any()  # the names


def test_gray_stays_gray_and_formats_are_as_asked(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    sample(flat(channels=1), tmp_path / "gray", 1, grid=True)
    assert pixels(tmp_path / "gray" / "000000.png").shape == (4, 4)
    assert pixels(tmp_path / "gray" / "grid.png").ndim == 2
    outcomes = sample(flat(), tmp_path / "jpeg", 1, save=SaveOptions(format="jpeg"))
    assert list(outcomes) == ["000000.jpg"]
    with Image.open(tmp_path / "jpeg" / "000000.jpg") as image:
        assert image.format == "JPEG"


def test_names_of_classes_become_names_of_folders(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    sample(flat(domains=("T-shirt/top", "..", "Cat", "cat", "日本")), tmp_path / "out", 1)
    assert set(files(tmp_path / "out")) == {
        f"{name}/000000.png" for name in ("T-shirt-top", "1", "2 Cat", "3 cat", "日本")
    }


def test_the_manifest_tells_what_each_file_is_made_from(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    sample(flat(domains=("cat", "dog")), tmp_path / "out", 1, seed=7, truncation=0.5)
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    last = {line["name"]: line for line in lines}["dog/000000.png"]
    assert last["source"] == "seed 7, class 1, picture 0, truncated to 0.5"
    assert (last["status"], last["classes"], last["model"]) == ("ok", ["dog"], "some model")


def test_what_exists_is_refused_skipped_or_replaced(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded, out = flat(), tmp_path / "out"
    sample(loaded, out, 2)
    before = files(out)
    with pytest.raises(UserError, match=r"000000\.png: exists, and so do 1 more outputs; choose another place"):
        sample(loaded, out, 3, seed=1)
    again = sample(loaded, out, 20, on_exists="skip")
    assert [again[f"{index:06}.png"].status for index in range(3)] == ["skipped", "skipped", "ok"]
    assert {name: files(out)[name] for name in before} == before
    seen = len(loaded.sampler.seen)
    assert {o.status for o in sample(loaded, out, 20, on_exists="skip").values()} == {"skipped"}
    assert len(loaded.sampler.seen) == seen
    other = sample(loaded, out, 2, seed=1, on_exists="skip")
    assert {o.status for o in other.values()} == {"failed"}
    assert "was not made from this seed" in str(other["000000.png"].reason)
    assert {o.status for o in sample(loaded, out, 2, seed=1, on_exists="overwrite").values()} == {"ok"}
    assert files(out)["000000.png"] != before["000000.png"]


def test_numbers_that_are_none_fail_in_a_sentence(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = flat()
    loaded.sampler.shift.fill_(math.nan)
    outcomes = sample(loaded, tmp_path / "out", 2)
    reason = "the model gives values that are no numbers; was its training sound?"
    assert [o.reason for o in outcomes.values()] == [f"000000.png: {reason}", f"000001.png: {reason}"]
    assert not files(tmp_path / "out")


def test_a_full_disk_fails_what_finds_no_place(
    gan: Callable[..., LoadedSampler], tmp_path: Path, no_file_beyond: Callable[[int], AbstractContextManager[None]]
) -> None:
    loaded = gan()
    with no_file_beyond(300):
        outcomes = sample(loaded, tmp_path / "out", 2)
    assert {o.status for o in outcomes.values()} == {"failed"}
    assert all("File too large" in str(o.reason) for o in outcomes.values())  # the picture, or the line about it
    assert not files(tmp_path / "out")


# Between seeds, over the plane


def test_a_strip_leads_from_one_seed_to_the_next(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = flat(domains=("cat", "dog"))
    plan = plan_interpolation(loaded, tmp_path / "out", [3, 4, 9], 4, options(classes=("dog",)))
    assert plan.notes == ()
    assert {o.status for o in made(loaded, plan).values()} == {"ok"}
    assert set(files(tmp_path / "out")) == {"dog/strip.png", *(f"dog/{index:06}.png" for index in range(7))}
    for index, seed in ((0, 3), (3, 4), (6, 9)):
        sample(loaded, tmp_path / str(seed), 1, seed=seed, classes=("dog",))
        assert files(tmp_path / str(seed))["dog/000000.png"] == files(tmp_path / "out")[f"dog/{index:06}.png"]
    strip = pixels(tmp_path / "out" / "dog" / "strip.png")
    assert strip.shape == (64, 7 * 64 + 6 * 2, 3)
    for index in range(7):
        assert (strip[:, 66 * index] == pixels(tmp_path / "out" / "dog" / f"{index:06}.png")[0, 0]).all()


def test_uniform_latents_go_straight_and_it_is_said(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    plan = plan_interpolation(flat(prior="uniform"), tmp_path / "out", [3, 4], None, options())
    assert plan.notes == ("this model's latents are uniform: the way is straight, not on a sphere",)
    assert len(plan.pieces) == 8 + 1


def test_a_manifold_is_one_sheet_of_two_numbers(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = flat(latent=2, channels=1)
    assert list(made(loaded, plan_manifold(loaded, tmp_path / "two", None, 6, options()))) == ["manifold.png"]
    sheet = pixels(tmp_path / "two" / "manifold.png")
    assert sheet.shape == (6 * 64, 6 * 64)
    columns = ((stats.norm.ppf((np.arange(6) + 0.5) / 6) / 8 + 1) * 127.5).round()
    assert (sheet == columns.repeat(64)[None]).all()  # the first number is the gray level, to the right
    loaded = flat(latent=3)
    with pytest.raises(UserError, match="latents have 3; choose two with --axes 0,1"):
        plan_manifold(loaded, tmp_path / "three", None, 6, options())
    made(loaded, plan_manifold(loaded, tmp_path / "three", (2, 0), 6, options()))
    sheet = pixels(tmp_path / "three" / "manifold.png")
    assert (sheet[..., 2] == columns.repeat(64)[None]).all()
    assert (sheet[..., 0] == columns[::-1].repeat(64)[:, None]).all()
    for axes in ((0, 0), (0, 3)):
        with pytest.raises(UserError, match="expected two different numbers from 0 to 2"):
            plan_manifold(loaded, tmp_path / "new", axes, 6, options())


# Arithmetic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png - b.png + c.png", [(1, "a.png"), (-1, "b.png"), (1, "c.png")]),
        ("a - b + c", [(1, "a"), (-1, "b"), (1, "c")]),
        ("  a.png  ", [(1, "a.png")]),
        ("my cat.png - it's-a+b.png", [(1, "my cat.png"), (-1, "it's-a+b.png")]),
        ("\"a - b.png\" + 'c + d.png' - e", [(1, "a - b.png"), (1, "c + d.png"), (-1, "e")]),
        ("'tis.png - 'twas.png", [(1, "'tis.png"), (-1, "'twas.png")]),
        ("a\t+\nb", [(1, "a"), (1, "b")]),
        ("/x/a-1.png - -2.png", [(1, "/x/a-1.png"), (-1, "-2.png")]),
    ],
)
def test_a_sum_is_read_as_it_is_written(text: str, expected: list[tuple[int, str]]) -> None:
    assert parse_terms(text) == [(sign, Path(name)) for sign, name in expected]


@pytest.mark.parametrize("text", ["", "  ", "a.png - "])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--arithmetic: expected pictures with signs between them"):
        parse_terms(text)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Flat pictures: a.png, b.png of the sampler's size, and one that is wide."""
    for name, colour, size in (
        ("a", (140, 120, 130), (4, 4)),
        ("b b", (150, 100, 128), (4, 4)),
        ("wide", (128,) * 3, (9, 6)),
    ):
        Image.new("RGB", size, colour).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize("encodes", [True, False], ids=["encoder", "descent"])
def test_arithmetic_adds_latents(flat: Callable[..., LoadedSampler], colours: Path, encodes: bool) -> None:
    loaded, out = flat(encodes=encodes), colours / "out"
    text = f"{colours / 'a.png'} - {colours / 'b b.png'} + {colours / 'wide.png'}"
    plan = plan_arithmetic(loaded, out, text, 0, options())
    assert plan.notes == (
        f"{colours / 'wide.png'}: cut to its middle square and scaled from 9x6 to the 4x4 pixels of this model",
    )
    outcomes = made(loaded, plan)
    assert set(files(out)) == {"result.png", "strip.png"}
    # Levels are linear in the latent here, and 127.5 is where it is 0.
    assert np.allclose(pixels(out / "result.png")[0, 0], [140 - 150 + 128, 120 - 100 + 128, 130 - 128 + 128], atol=1)
    notes = outcomes["strip.png"].notes
    found_by = "the encoder" if encodes else "descent"
    assert len(notes) == 3
    assert all(f"the latent that {found_by} found gives it back to 0.0 levels of 255" in note for note in notes)
    strip = pixels(out / "strip.png")
    assert strip.shape[1] == 4 * 256 + 3 * 6
    for row in (30, 300):
        assert abs(strip[row, 100].astype(int) - [140, 120, 130]).max() <= 1
    assert (strip[30, -1] == 255).all()
    assert (strip[300, -1] == pixels(out / "result.png")[0, 0]).all()


def test_a_label_is_chosen_for_arithmetic(flat: Callable[..., LoadedSampler], colours: Path) -> None:
    loaded = flat(domains=("cat", "dog"))
    with pytest.raises(UserError, match="this model makes cat, dog: choose one class"):
        plan_arithmetic(loaded, colours / "out", str(colours / "a.png"), 0, options())
    made(loaded, plan_arithmetic(loaded, colours / "out", str(colours / "a.png"), 0, options(classes=("dog",))))
    assert abs(pixels(colours / "out" / "result.png")[0, 0].astype(int) - [140, 120, 130]).max() <= 1


def test_a_model_of_gray_takes_colours_and_transparency(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 200)).save(tmp_path / "red.png")
    loaded = flat(channels=1, encodes=False)
    made(loaded, plan_arithmetic(loaded, tmp_path / "out", str(tmp_path / "red.png"), 0, options()))
    assert abs(int(pixels(tmp_path / "out" / "result.png")[0, 0]) - 76) <= 1


def test_projection_finds_what_the_model_itself_has_made(gan: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = gan()
    sample(loaded, tmp_path / "made", 2, seed=11)
    text = f"{tmp_path / 'made' / '000000.png'} - {tmp_path / 'made' / '000001.png'}"
    outcomes = made(loaded, plan_arithmetic(loaded, tmp_path / "out", text, 0, options()))
    deviations = [float(note.split("back to ")[1].split(" ")[0]) for note in outcomes["strip.png"].notes]
    assert max(deviations) < 3
    first = files(tmp_path / "out")
    made(loaded, plan_arithmetic(loaded, tmp_path / "again", text, 0, options()))
    assert files(tmp_path / "again") == first


def test_projection_stays_in_the_box_of_a_uniform_prior(flat: Callable[..., LoadedSampler]) -> None:
    model = flat(prior="uniform").sampler
    image = torch.tensor([0.9, 0.05, -0.9]).view(1, 3, 1, 1).expand(-1, -1, 4, 4)
    found = project(model, image, 0, torch.zeros(2, 3))
    assert torch.allclose(found, torch.tensor([[1.0, 0.4, -1.0]]), atol=1e-2)


def test_nothing_is_computed_where_it_could_not_be_written(flat: Callable[..., LoadedSampler], colours: Path) -> None:
    loaded = flat()
    (colours / "out").mkdir()
    (colours / "out" / "result.png").touch()
    with pytest.raises(UserError, match=r"result\.png: exists"):
        plan_arithmetic(loaded, colours / "out", str(colours / "a.png"), 0, options())
    assert not loaded.sampler.seen


# Points


@pytest.fixture
def points(gan: Callable[..., LoadedSampler]) -> Callable[..., LoadedSampler]:
    """A sampler of points; `points(conditional=True, domains=("inner", "outer"))`."""
    return lambda **settings: gan(channels=2, size=1, latent=2, output="linear", **settings)


def test_points_are_a_table_and_a_plot(points: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded = points(conditional=True, domains=("inner", "outer"))
    outcomes = sample(loaded, tmp_path / "out", 40)
    assert [o.status for o in outcomes.values()] == ["ok", "ok"]
    with (tmp_path / "out" / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["inner"] * 40 + ["outer"] * 40
    drawn = torch.stack(
        [latents.sample_latent(loaded.sampler, 0, label, index) for label in (0, 1) for index in range(40)]
    )
    expected = loaded.generate(drawn, torch.tensor([0] * 40 + [1] * 40)).flatten(1).numpy()
    assert np.array_equal(np.array([[row["x"], row["y"]] for row in rows], np.float32), expected)
    assert (pixels(tmp_path / "out" / "points.png") < 255).sum() > 20
    sample(points(), tmp_path / "plain", 3)
    assert (tmp_path / "plain" / "points.csv").read_text().startswith("x,y\n")
    assert len((tmp_path / "plain" / "points.csv").read_text().splitlines()) == 4


def test_what_is_for_pictures_is_refused_for_points(points: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    loaded, out = points(), tmp_path / "out"
    sentence = "is for pictures, and this model makes points of the plane"
    with pytest.raises(UserError, match=f"--grid: {sentence}"):
        sample(loaded, out, grid=True)
    with pytest.raises(UserError, match=f"--format jpeg: {sentence}"):
        sample(loaded, out, save=SaveOptions(format="jpeg"))
    with pytest.raises(UserError, match=f"--interpolate: {sentence}"):
        plan_interpolation(loaded, out, [0, 1], 3, options())
    with pytest.raises(UserError, match=f"--manifold: {sentence}"):
        plan_manifold(loaded, out, None, 3, options())
    with pytest.raises(UserError, match=f"--arithmetic: {sentence}"):
        plan_arithmetic(loaded, out, "a", 0, options())
    with pytest.raises(UserError, match="makes points and no pictures"):
        loaded(3)


# What cannot be


def test_a_class_must_be_known(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--class cat: this model was told no classes"):
        sample(flat(), tmp_path, classes=("cat",))
    with pytest.raises(UserError, match=r"--class cet: this model knows none such; did you mean cat\?"):
        sample(flat(domains=("cat", "dog")), tmp_path, classes=("cet",))
    with pytest.raises(UserError, match="--class xyz: this model knows none such; there are cat, dog"):
        sample(flat(domains=("cat", "dog")), tmp_path, classes=("xyz",))
    assert flat(domains=("cat", "dog")).labels(["dog", "cat", "dog"]) == (1, 0)


def test_uniform_latents_are_not_truncated(flat: Callable[..., LoadedSampler], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--truncation: is for normal latents, and this model's are uniform"):
        sample(flat(prior="uniform"), tmp_path, truncation=0.5)
    with pytest.raises(UserError, match="--truncation: is for normal latents"):
        plan_interpolation(flat(prior="uniform"), tmp_path, [0, 1], 3, options(truncation=0.5))
    with pytest.raises(UserError, match="--truncation: is for normal latents"):
        flat(prior="uniform")(1, truncation=0.5)
    with pytest.raises(UserError, match=r"--truncation 0\.001: expected 0\.01 or more"):
        flat()(1, truncation=0.001)


def test_no_pictures_are_none_to_make(flat: Callable[..., LoadedSampler]) -> None:
    with pytest.raises(UserError, match="0 pictures cannot be made: expected 1 or more"):
        flat()(0)


def test_the_package_gives_what_python_needs() -> None:
    assert translate.LoadedSampler is LoadedSampler
    assert callable(translate.load_sampler)
