"""A page that asks people which of two pictures is better, and what their answers say.

Two alternatives at a time, in random order and on random sides. The page is one file and needs no network; the browser
saves the answers as a file.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from datasets.errors import UserError
from datasets.pixels import resize
from translate.evaluation.folders import Progress, check_sizes, match_folders, open_folder, read_rgb
from translate.evaluation.metrics.report import fingerprint
from translate.files import write_text
from translate.sheet import to_data_url

LARGEST = 640  # pixels on a side: two of them fit a screen beside each other
MOST = 50  # pairs; about four minutes of a person's time
QUESTION = "Which picture looks better?"
Z = 1.959964  # of a normal distribution, for 95 %

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Two pictures</title><style>
body { font: 16px/1.5 system-ui, sans-serif; text-align: center; margin: 1em; color: #222; background: #777; }
img { max-width: 48vw; max-height: 78vh; cursor: pointer; margin: 0 0.5vw; } a, button { font: inherit; }
</style><h1 id="question"></h1><p id="progress"></p><div id="pictures"><img id="left" alt="left"><img id="right"
alt="right"></div><p id="help">Click a picture, or press ← or →. Backspace goes back.</p>
<p><a id="save" hidden download="answers.json">Save the answers</a></p>
<script id="data" type="application/json">DATA</script><script>
const data = JSON.parse(document.getElementById("data").textContent), answers = [];
const find = (id) => document.getElementById(id);
let shown = 0;
function show() {
  const trial = data.trials[answers.length], done = !trial;
  find("question").textContent = done ? "Thank you" : data.question;
  find("progress").textContent = `${answers.length} of ${data.trials.length}`;
  find("pictures").hidden = find("help").hidden = done;
  find("save").hidden = !done;
  if (done) {
    const text = JSON.stringify({page: data.page, first: data.first, second: data.second, answers}, null, 1);
    find("save").href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
    return;
  }
  find("left").src = trial.left; find("right").src = trial.right;
  shown = performance.now();
}
function answer(side) {
  const trial = data.trials[answers.length];
  if (!trial) return;
  const first = (side === "left") !== trial.swapped;
  const seconds = (performance.now() - shown) / 1000;
  answers.push({name: trial.name, side, chosen: first ? "first" : "second", seconds});
  show();
}
for (const side of ["left", "right"]) find(side).onclick = () => answer(side);
document.onkeydown = (event) => {
  if (event.key === "ArrowLeft") answer("left");
  if (event.key === "ArrowRight") answer("right");
  if (event.key === "Backspace" && answers.length) { answers.pop(); show(); }
};
show();
</script></html>
"""


@dataclass(frozen=True)
class HumanScore:
    """What people answered.

    Attributes:
        first: The folder that was asked about.
        second: What it was compared with.
        chosen: Answers for the first.
        answers: All of them.
        people: How many files of answers there were.
        interval: 95 % interval of the fraction for the first.
    """

    first: str
    second: str
    chosen: int
    answers: int
    people: int
    interval: tuple[float, float]


def write_human_page(
    first: Path,
    second: Path,
    path: Path,
    *,
    question: str = QUESTION,
    count: int = MOST,
    seed: int = 0,
    progress: Progress = lambda: None,
) -> int:
    """Write a page with pictures of equal names of two folders, and return how many pairs it shows.

    Raises:
        DataError: The folders do not fit together.
        UserError: The page cannot be written.
    """
    one, other = open_folder(first), open_folder(second)
    stems = match_folders(one, other)
    if not stems:
        raise UserError(f"no picture in {first} has the name of one in {second}; a page shows pictures of equal names")
    check_sizes(one, other, stems)
    rng = np.random.default_rng(seed)
    chosen = [stems[index] for index in rng.permutation(len(stems))[:count]]
    swaps = rng.permutation(len(chosen)) % 2 == 1  # half of them, so that a preference for a side cancels
    trials = []
    for stem, swapped in zip(chosen, swaps.tolist(), strict=True):
        sides = [_to_address(read_rgb(folder.files[stem])) for folder in (one, other)]
        left, right = sides[::-1] if swapped else sides
        trials.append({"name": stem, "swapped": swapped, "left": left, "right": right})
        progress()
    page = fingerprint([one.fingerprint, other.fingerprint, str(seed), question, *chosen])
    data = {"page": page, "question": question, "first": first.name, "second": second.name, "trials": trials}
    write_text(path, PAGE.replace("DATA", json.dumps(data).replace("<", "\\u003c")))
    return len(trials)


def score_answers(paths: Sequence[Path]) -> HumanScore:
    """Return what the answers in some files say; each file is one person's.

    Raises:
        UserError: A file is missing or damaged, or is of another page than the others.
    """
    documents = [_read_answers(path) for path in paths]
    for path, document in zip(paths, documents, strict=True):
        if document["page"] != documents[0]["page"]:
            raise UserError(
                f"{path}: answers the page {document['page']}, and {paths[0]} answers {documents[0]['page']}; score "
                "the answers of one page at a time"
            )
    answers = [one["chosen"] for document in documents for one in document["answers"]]
    chosen = answers.count("first")
    names = str(documents[0]["first"]), str(documents[0]["second"])
    return HumanScore(*names, chosen, len(answers), len(paths), wilson_interval(chosen, len(answers)))


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction (Wilson 1927), which is sound near 0 and 1 and for few trials."""
    centre = (successes + Z**2 / 2) / (trials + Z**2)
    half = Z / (trials + Z**2) * math.sqrt(successes * (trials - successes) / trials + Z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def _read_answers(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        known = {"first", "second"}
        if not document["answers"] or not {one["chosen"] for one in document["answers"]} <= known:
            raise ValueError
        return {key: document[key] for key in ("page", "first", "second", "answers")}
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; check the name") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: holds no answers; expected the file that a page of `human` saved") from None


def _to_address(picture: Tensor) -> str:
    """Return a picture (3, H, W) uint8 as an address within the page, made smaller if it does not fit a screen."""
    pixels = picture.permute(1, 2, 0).numpy()
    factor = min(1.0, LARGEST / max(pixels.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    return to_data_url(resize(pixels, width, height))
