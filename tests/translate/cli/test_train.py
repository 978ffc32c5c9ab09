"""The bar of a training: it knows the minutes that it may take as well as its steps."""

from typing import Any

import pytest

from translate.cli.train import _Pace
from translate.training.progress import Progress


@pytest.mark.parametrize(
    ("max_minutes", "left", "fraction"),
    [
        (None, "3:00 left", 0.25),  # 60 s for 10 steps, and 30 are to come
        (1.5, "0:30 left", 60 / 90),
        (10.0, "3:00 left", 0.25),
    ],
)
def test_the_time_left_is_that_of_steps_or_of_minutes(
    max_minutes: float | None, left: str, fraction: float, monkeypatch: Any
) -> None:
    pace = _Pace(max_minutes)
    for now, step in ((100.0, 0), (160.0, 10)):
        monkeypatch.setattr("time.monotonic", lambda now=now: now)
        pace.add(Progress(step, 40))
    assert pace.left == left
    assert pace.fraction == pytest.approx(fraction)


def test_before_the_first_step_only_the_minutes_are_known() -> None:
    for max_minutes, left in ((None, ""), (2.0, "2:00 left")):
        pace = _Pace(max_minutes)
        pace.add(Progress(0, 40))
        assert pace.left == left
