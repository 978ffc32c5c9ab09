"""The result of a check as one HTML page and a contact sheet, with the worst first."""

import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.codecs.images import read_picture
from datasets.errors import UserError
from datasets.pixels import convert_channels, resize, show_alpha, to_floats
from translate.evaluation.data_check.findings import CheckReport, Finding
from translate.files import write_text
from translate.sheet import to_data_url, write_rows

SIDE = 160  # pixels on a side of a thumbnail; chosen by eye
SHOWN = 200  # findings with pictures on the page, and
OF_EACH = 4  # pictures of each; more make the page slow to load
ON_SHEET = 24  # findings on the contact sheet

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
section { border-left: 4px solid #c90; padding: 0 1em; margin: 1em 0; } section.error { border-color: #a33; }
figure { display: inline-block; margin: 0 1em 0 0; vertical-align: top; } figcaption { font-size: 12px; color: #555; }
table { border-collapse: collapse; } td { padding: 0 1em 0 0; vertical-align: top; }
"""


def write_page(report: CheckReport, path: Path) -> None:
    """Write the page of a check; it needs no network and no other file.

    Raises:
        UserError: It cannot be written.
    """
    root = Path(report.folder)
    layout = report.layout
    rows = [("layout", layout.kind), ("recipe", f"translate train {layout.recipe} {_settings(report)}")]
    rows += [(name, _list_counts(counts)) for name, counts in report.facts.items()]
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>" for name, text in rows)
    findings = "".join(
        _describe(root, finding, with_pictures=index < SHOWN) for index, finding in enumerate(report.findings)
    )
    title = html.escape(f"{root.resolve().name}: {len(report.files)} pictures, {len(report.findings)} findings")
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    write_text(path, f"{page}<h1>{title}</h1><table>{cells}</table>{findings or '<p>Nothing was found.</p>'}</html>\n")


def write_sheet(report: CheckReport, path: Path) -> bool:
    """Write a contact sheet of the first findings with pictures; return whether there are any.

    Raises:
        UserError: It cannot be written.
    """
    root = Path(report.folder)
    rows: list[tuple[str, list[NDArray[np.uint8]]]] = []
    for finding in report.findings:
        shown = [thumbnail for file in finding.files[:OF_EACH] if (thumbnail := _read(root / file)) is not None]
        if shown and len(rows) < ON_SHEET:
            rows.append((f"{finding.kind}: {', '.join(finding.files[:OF_EACH])}", shown))
    if rows:
        write_rows(rows, [""], path)
    return bool(rows)


def _describe(root: Path, finding: Finding, *, with_pictures: bool) -> str:
    figures = "".join(_figures(root, finding.files[:OF_EACH])) if with_pictures else ""
    names = ", ".join(finding.files)
    text = f"<b>{html.escape(finding.kind)}</b> {html.escape(names)} {html.escape(finding.message)}"
    return f'<section class="{finding.severity}"><p>{text}</p>{figures}</section>'


def _figures(root: Path, files: tuple[str, ...]) -> Iterator[str]:
    for file in files:
        pixels = _read(root / file)
        if pixels is not None:
            caption = html.escape(file)
            image = f'<img alt="{caption}" src="{to_data_url(pixels)}">'
            yield f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _read(path: Path) -> NDArray[np.uint8] | None:
    try:
        pixels = show_alpha(read_picture(path), "white")
    except UserError:
        return None
    colours = (convert_channels(to_floats(pixels), 3) * 255).round().astype(np.uint8)
    factor = min(1.0, SIDE / max(colours.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in colours.shape[:2])
    return np.asarray(resize(colours, width, height), np.uint8)


def _settings(report: CheckReport) -> str:
    return " ".join(f"--set {setting}" for setting in report.layout.settings)


def _list_counts(counts: dict[str, int]) -> str:
    shown = [f"{count} {value}" for value, count in [*counts.items()][:8]]
    return ", ".join(shown) + (f" and {len(counts) - 8} more" if len(counts) > 8 else "")
