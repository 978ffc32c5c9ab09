"""The page that asks people: what is on it, and what answers are worth. A browser uses it in tests/benchmarks."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.errors import UserError
from translate.evaluation.human import score_answers, wilson_interval, write_human_page


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Twelve pictures that are red in the first folder and blue in the second."""
    for name, colour in (("ours", "red"), ("theirs", "blue")):
        (tmp_path / name).mkdir()
        for index in range(12):
            Image.new("RGB", (20, 16), colour).save(tmp_path / name / f"{index}<b>.png")
    return tmp_path / "ours", tmp_path / "theirs"


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    assert "<b>" not in found[1]
    document: dict[str, Any] = json.loads(found[1])
    return document


def colour_of(address: str) -> tuple[int, ...]:
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        return tuple(np.asarray(picture)[0, 0].tolist())


def test_the_page_shows_every_pair_on_random_sides(folders, tmp_path):
    page = tmp_path / "page.html"
    assert write_human_page(folders[0], folders[1], page) == 12
    data = data_of(page)
    trials = data["trials"]
    assert {trial["name"] for trial in trials} == {f"{index}<b>" for index in range(12)}
    assert {trial["swapped"] for trial in trials} == {True, False}
    for trial in trials:
        first = trial["right" if trial["swapped"] else "left"]
        second = trial["left" if trial["swapped"] else "right"]
        assert (colour_of(first), colour_of(second)) == ((255, 0, 0), (0, 0, 255))
    write_human_page(folders[0], folders[1], tmp_path / "again.html")
    assert data_of(tmp_path / "again.html") == data
    assert write_human_page(folders[0], folders[1], tmp_path / "short.html", count=3, seed=1) == 3
    assert data_of(tmp_path / "short.html")["page"] != data["page"]
    assert "http" not in page.read_text(encoding="utf-8").replace("https?", "")


def answers(path: Path, first: int, second: int, page: str = "p") -> Path:
    given = [{"name": "a", "chosen": "first"}] * first + [{"name": "a", "chosen": "second"}] * second
    document = {"page": page, "first": "ours", "second": "theirs", "answers": given}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_answers_of_several_people_are_added(tmp_path, command):
    files = [answers(tmp_path / "1.json", 8, 2), answers(tmp_path / "2.json", 7, 3)]
    score = score_answers(files)
    assert (score.chosen, score.answers, score.people) == (15, 20, 2)
    ended = command("eval", "human", *files)
    assert ended.out == "ours over theirs: 75.0% of 20 answers of 2 people, 95 % 53.1% to 88.8%\n"
    assert "chance" in command("eval", "human", answers(tmp_path / "3.json", 5, 5)).out
    assert json.loads(command("eval", "human", *files, "--json").out)["chosen"] == 15


def test_answers_of_another_page_or_none_are_refused(tmp_path):
    one, other = answers(tmp_path / "1.json", 1, 1), answers(tmp_path / "2.json", 1, 1, page="q")
    with pytest.raises(UserError, match=r"2.json: answers the page q, and .*1.json answers p"):
        score_answers([one, other])
    for content in ("", "{}", '{"page": "p", "first": "a", "second": "b", "answers": []}', '{"answers": [{}]}'):
        one.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match="holds no answers"):
            score_answers([one])


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [(0, 10, (0, 0.2775)), (5, 10, (0.2366, 0.7634)), (81, 263, (0.2553, 0.3662))],  # the last: Newcombe 1998, table I
)
def test_wilson_intervals_are_the_published_ones(successes, trials, expected):
    assert wilson_interval(successes, trials) == pytest.approx(expected, abs=1e-4)
