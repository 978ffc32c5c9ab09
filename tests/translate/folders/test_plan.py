"""What a translation will do: the domains that it makes, its manifest, and notes before it starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets.errors import UserError
from translate.folders.options import RunOptions
from translate.folders.plan import Plan, make_plan
from translate.inference.model import Model

Planner = Callable[..., Plan]


@pytest.fixture
def plan(unchanged: Callable[..., Model]) -> Planner:
    def make(
        source: Path, destination: Path, *, trained_size: int | None = 32, domains: tuple[str, ...] = (), **options: Any
    ):
        return make_plan(
            unchanged(domains=domains).translator,
            trained_size,
            source,
            destination,
            RunOptions.model_validate(options),
        )

    return make


def names(plan: Plan) -> list[str]:
    return [job.name.as_posix() for job in plan.jobs]


def test_every_picture_goes_to_its_own_relative_path(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("x/i.png", "y/i.png", "10.jpg", "2.jpg")
    result = plan(folder, tmp_path / "out")
    assert names(result) == ["2.jpg", "10.jpg", "x/i.png", "y/i.png"]
    assert [job.output for job in result.jobs] == [tmp_path / "out" / name for name in names(result)]
    assert result.manifest == tmp_path / "out" / "manifest.jsonl"
    assert not (tmp_path / "out").exists()


def test_a_file_goes_to_a_file_and_leaves_nothing_beside_it(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    result = plan(fill("a.png") / "a.png", tmp_path / "new" / "b.PNG")
    assert [job.output for job in result.jobs] == [tmp_path / "new" / "b.PNG"]
    assert result.manifest is None


def test_a_file_goes_into_a_folder_under_its_name(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for folder in (tmp_path / "out", tmp_path / "folder.png"):
        result = plan(fill("a.png") / "a.png", folder)
        assert [job.output for job in result.jobs] == [folder / "a.png"]
        assert result.manifest == folder / "manifest.jsonl"


def test_a_domain_is_asked_for_by_name(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder, seasons = fill("a.png"), ("summer", "winter")

    def aims(domains: tuple[str, ...], **options: Any) -> list[tuple[str | None, Any]]:
        return [(job.to, job.domain) for job in plan(folder, tmp_path / "out", domains=domains, **options).jobs]

    assert aims(seasons, to="winter") == aims(seasons, to=["winter"]) == [("winter", 1)]
    assert aims(seasons[:1]) == aims(seasons[:1], to="summer") == aims(()) == [(None, 0)]
    for domains, to, sentence in (
        (seasons, None, "this model has the domains summer, winter: choose one"),
        (seasons, "spring", "spring: this model has the domains summer, winter"),
        (seasons, ["winter", "spring"], "spring: this model has the domains summer, winter"),
        (seasons, "summer,winter", "summer,winter: this model has the domains summer, winter; did you mean winter\\?"),
        ((), "winter", "winter: this model has no domains"),
        ((), "all", "all: this model has no domains"),
    ):
        with pytest.raises(UserError, match=f"^{sentence}$"):
            plan(folder, tmp_path / "out", domains=domains, to=to)


@pytest.mark.parametrize("to", ["all", ["summer", "winter", "summer"]])
def test_several_domains_get_a_folder_each(plan: Planner, fill: Callable[..., Path], tmp_path: Path, to: Any) -> None:
    result = plan(fill("a.png", "b/c.png"), tmp_path / "out", domains=("summer", "winter"), to=to)
    assert names(result) == ["summer/a.png", "summer/b/c.png", "winter/a.png", "winter/b/c.png"]
    assert [job.output for job in result.jobs] == [tmp_path / "out" / name for name in names(result)]
    assert [job.source.name for job in result.jobs] == ["a.png", "c.png"] * 2
    assert [(job.to, job.domain) for job in result.jobs[1:3]] == [("summer", 0), ("winter", 1)]
    assert result.manifest == tmp_path / "out" / "manifest.jsonl"


def test_a_domain_that_is_called_all_is_itself(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    result = plan(fill("a.png"), tmp_path / "out", domains=("some", "all"), to="all")
    assert [(job.name.as_posix(), job.domain) for job in result.jobs] == [("a.png", 1)]


def test_all_of_a_single_domain_is_a_folder_too(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    result = plan(fill("a.png"), tmp_path / "out", domains=("night/day",), to="all")
    assert names(result) == ["night-day/a.png"]


def test_one_picture_for_several_domains_needs_a_folder(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    picture, seasons = fill("a.png") / "a.png", ("summer", "winter")
    result = plan(picture, tmp_path / "out", domains=seasons, to="all")
    assert [job.output for job in result.jobs] == [tmp_path / "out" / season / "a.png" for season in seasons]
    assert result.manifest == tmp_path / "out" / "manifest.jsonl"
    with pytest.raises(UserError, match=r"out\.png: is one file, and each of the 2 domains needs its own: give a"):
        plan(picture, tmp_path / "out.png", domains=seasons, to="all")


@pytest.mark.parametrize(("side", "noted"), [(20, True), (22, False), (48, False), (49, True)])
def test_pictures_far_from_the_trained_size_get_a_note(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path, side: int, noted: bool
) -> None:
    folder = fill("a.png", "b.png", "c.png", size=(side, side + 100))
    notes = plan(folder, tmp_path / "out").notes
    assert bool(notes) == noted
    if noted:
        assert f"shorter side is {side} pixels, and the model learned from 32" in notes[0]
        assert "`work_size` 32" in notes[0]
        assert plan(folder, tmp_path / "out", work_size=32).notes == ()


def test_a_damaged_picture_does_not_spoil_the_look_at_sizes(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("b.png", size=(100, 100))
    (folder / "a.png").write_bytes(b"")
    assert "shorter side is 100 pixels" in plan(folder, tmp_path / "out").notes[0]


def test_a_model_that_learned_pictures_at_their_own_scale_is_far_from_none(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    assert plan(fill("a.png", size=(500, 400)), tmp_path / "out", trained_size=None).notes == ()
