"""The report of a training: one static page with curves, previews, metrics, configuration and environment."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from models.metrics import direction
from translate.files import write_text
from translate.inference.model_file import read_card
from translate.migrations import migrate_record
from translate.run_folder import RunFolder

WIDTH, HEIGHT = 420, 160  # of a curve, in pixels: two of them fit the page beside each other
PREVIEWS = 6  # sample pictures, spread over the training; chosen by eye

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em; color: #222; }
figure { display: inline-block; margin: 0 1em 1em 0; } figcaption { font-size: 13px; color: #555; }
img { max-width: 100%; } pre { background: #f5f5f5; padding: 1em; overflow-x: auto; }
table { border-collapse: collapse; } td { padding: 0 1em 0 0; } .health { color: #a33; }
polyline { fill: none; stroke: #2660a4; stroke-width: 1.5; } text { font-size: 11px; fill: #777; }
"""


def write_report(folder: RunFolder) -> None:
    """Replace report.html in a run folder by one of all that the folder holds now; the page needs no network."""
    experiment, facts = folder.read_config()
    lines = _read_lines(folder.metrics)
    parts = [f"<h1>{html.escape(folder.path.resolve().name)}</h1>", _steps(folder, lines, experiment.training.steps)]
    parts += [_metrics_table(lines), _health(lines)]
    parts += ["<h2>Held out, over time</h2>", *_curves(lines, "metrics"), "<h2>Losses</h2>", *_curves(lines, "losses")]
    columns = next((line["sample"] for line in reversed(lines) if "sample" in line), "")
    parts += ["<h2>Pictures over time</h2>", f"<p>{html.escape(columns)}</p>", *_previews(folder.find_samples())]
    settings = yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)
    parts += ["<h2>Configuration</h2>", f"<pre>{html.escape(settings)}</pre>"]
    parts += ["<h2>Environment</h2>", _table(facts)]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Training</title><style>{STYLE}</style>'
    write_text(folder.path / "report.html", page + "\n".join(parts) + "</html>\n")


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [migrate_record(json.loads(line)) for line in lines]


def _steps(folder: RunFolder, lines: Sequence[dict[str, Any]], steps: int) -> str:
    """Return how far the training is, and which model was the best so far."""
    step = max((line["step"] for line in lines), default=0)
    best = f"; the best model is of step {read_card(folder.best).step}" if folder.best.is_file() else ""
    return f"<p>Step {step} of {steps}{best}.</p>"


def _metrics_table(lines: Sequence[dict[str, Any]]) -> str:
    validations = [line for line in lines if "metrics" in line]
    if not validations:
        return "<p>No samples were held out.</p>"
    first, last = validations[0], validations[-1]
    rows = {
        f"{name}{_better(name)}": f"{_format(value)} (step {first['step']}: {_format(first['metrics'].get(name))})"
        for name, value in last["metrics"].items()
    }
    return f"<h2>Held out, at step {last['step']}</h2>{_table(rows)}"


def _better(name: str) -> str:
    return f" ({direction(name)} is better)" if direction(name) else ""


def _format(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4f}"


def _health(lines: Sequence[dict[str, Any]]) -> str:
    messages = [f"<li>step {line['step']}: {html.escape(line['health'])}</li>" for line in lines if "health" in line]
    return f'<ul class="health">{"".join(messages)}</ul>' if messages else ""


def _curves(lines: Sequence[dict[str, Any]], kind: str) -> list[str]:
    series: dict[str, list[tuple[int, float | None]]] = {}
    for line in lines:
        for name, value in line.get(kind, {}).items():
            series.setdefault(name, []).append((line["step"], value))
    return [_curve(name, points, _better(name) if kind == "metrics" else "") for name, points in series.items()]


def _curve(name: str, points: Sequence[tuple[int, float | None]], better: str) -> str:
    finite = [(step, value) for step, value in points if value is not None]
    if not finite:
        return f"<p>{html.escape(name)}: no finite value</p>"
    steps, values = [step for step, _ in finite], [value for _, value in finite]
    low, high = min(values), max(values)
    across, up = max(steps[-1] - steps[0], 1), (high - low) or 1.0
    line = " ".join(
        f"{(step - steps[0]) / across * WIDTH:.1f},{(high - value) / up * (HEIGHT - 24) + 12:.1f}"
        for step, value in finite
    )
    return (
        f'<figure><svg width="{WIDTH}" height="{HEIGHT}"><polyline points="{line}"/>'
        f'<text x="0" y="10">{high:.4g}</text><text x="0" y="{HEIGHT - 2}">{low:.4g}</text></svg>'
        f"<figcaption>{html.escape(name)}, steps {steps[0]} to {steps[-1]}, last {values[-1]:.4g}{better}</figcaption>"
        "</figure>"
    )


def _previews(pictures: Sequence[tuple[int, Path]]) -> list[str]:
    last = len(pictures) - 1
    chosen = sorted({round(last * index / (PREVIEWS - 1)) for index in range(PREVIEWS)}) if pictures else []
    return [_preview(*pictures[index]) for index in chosen]


def _preview(step: int, picture: Path) -> str:
    # Inside the page, so that it can be sent to somebody as one file.
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<p>step {step}<br><img alt="step {step}" src="data:image/png;base64,{data}"></p>'


def _table(rows: dict[str, Any]) -> str:
    cells = (f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>" for k, v in rows.items())
    return f"<table>{''.join(cells)}</table>"
