"""`translate eval folders`, `model` and `compare`."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import (
    COMPUTING,
    Best,
    Device,
    Json,
    absolute,
    choose_model,
    console,
    option,
    print_json,
    print_notes,
)

if TYPE_CHECKING:
    from translate.evaluation.comparison import Difference
    from translate.evaluation.metrics.report import Report

Metrics = Annotated[
    str | None, option("Names or groups, as in psnr,ssim; all that can be computed", metavar="NAME[,NAME]")
]
Features = Annotated[
    list[Path] | None, option("Weights of a feature network; repeatable", panel=COMPUTING, metavar="FILE")
]
Out = Annotated[Path | None, option("Also write the report, for eval compare", metavar="FILE.json")]


def folders(
    outputs: Annotated[Path, typer.Argument(metavar="PRED", help="The folder of outputs to evaluate.")],
    references: Annotated[Path, typer.Argument(metavar="REF", help="The folder of what they should be.")],
    metrics: Metrics = None,
    crop: Annotated[int, option("Cut off N pixels at each border; 0", metavar="N", min=0)] = 0,
    mask: Annotated[Path | None, option("White in holes: also measure inside and outside", metavar="FILE|DIR")] = None,
    human: Annotated[
        Path | None, option("Write a page that asks people instead; see eval human", metavar="PAGE.html")
    ] = None,
    features: Features = None,
    out: Out = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure how close the pictures of a folder are to those of another.

    Pictures belong together whose paths are equal up to the suffix.
    """
    from translate.evaluation.folders import evaluate_folders

    if human is not None:
        _write_page(outputs, references, human)
        return
    with show_bar() as start:
        report = evaluate_folders(
            outputs,
            references,
            metrics=_split(metrics),
            crop=crop,
            mask=mask,
            features=features or (),
            device=device,
            start=start,
        )
    _print_report(report, out, as_json=as_json)


def model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, run folder or name.")],
    data: Annotated[Path, typer.Option(help="A folder, read as the model's training data were.")],
    metrics: Metrics = None,
    crop: Annotated[int | None, option("Cut off N pixels at each border", metavar="N", min=0)] = None,
    to: Annotated[str | None, option("Domain to translate to", metavar="NAME")] = None,
    settings: Annotated[list[str] | None, option("Read the folder differently", "--set", metavar="KEY=VALUE")] = None,
    features: Features = None,
    best: Best = False,
    out: Out = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure a model on the held-out samples of a folder, as its training validates it."""
    from translate.evaluation.models import evaluate_model

    with show_bar() as start:
        report = evaluate_model(
            choose_model(model, best=best),
            data,
            metrics=_split(metrics),
            crop=crop,
            to=to,
            overrides=settings or (),
            features=features or (),
            device=device,
            start=start,
        )
    _print_report(report, out, as_json=as_json)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="What eval folders or eval model wrote.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="Another one.")],
    metrics: Metrics = None,
    as_json: Json = False,
) -> None:
    """Compare two evaluations; figures measured in different ways are refused."""
    from translate.evaluation.comparison import compare_reports
    from translate.evaluation.metrics.report import read_report

    differences = compare_reports(read_report(first), read_report(second), _split(metrics))
    if as_json:
        print_json({name: {**one.__dict__, "winner": one.winner} for name, one in differences.items()})
        return
    _print_differences(differences)


def _split(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


@contextmanager
def show_bar() -> Iterator[Callable[[int], Callable[[], None]]]:
    """Give a function that starts a bar on the terminal, and returns what is called after each picture."""
    from translate.folders.display import Display
    from translate.inference.monitor import Monitor

    with ExitStack() as stack:

        def start(total: int) -> Callable[[], None]:
            stack.close()  # the bar before it
            monitor = Monitor()
            stack.enter_context(Display(monitor, total, console()))
            return monitor.finish

        yield start


def _write_page(outputs: Path, references: Path, page: Path) -> None:
    from translate.evaluation.human import MOST, write_human_page

    with show_bar() as start:
        shown = write_human_page(outputs, references, page, progress=start(MOST))
    console().print(f"done {shown} pairs → {absolute(page)}; open it in a browser", markup=False)


def _print_report(report: "Report", out: Path | None, *, as_json: bool) -> None:
    from translate.files import write_text

    print_notes(report.notes)
    if out is not None:
        write_text(out, json.dumps(report.to_document(), indent=2) + "\n")
    if as_json:
        print_json(report.to_document())
        return
    typer.echo(report.subject)
    for name, figure in report.figures.items():
        interval = "" if figure.interval is None else f"{figure.interval[0]:.4f} to {figure.interval[1]:.4f}"
        better = f"{figure.better} is better" if figure.better else "1 is best"
        typer.echo(f"{name:<16} {figure.value:>10.4f}  {interval:<20}  {better}")
    for line in _describe_protocols(report):
        typer.echo(line)


def _describe_protocols(report: "Report") -> Iterator[str]:
    """Yield what all figures have in common of their protocols, and then what each has of its own."""
    protocols = {name: figure.protocol for name, figure in report.figures.items()}
    first = next(iter(protocols.values()), {})
    common = {key: value for key, value in first.items() if all(one.get(key) == value for one in protocols.values())}
    yield "measured with " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in common.items())
    names: dict[str, list[str]] = {}
    for name, protocol in protocols.items():
        own = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in protocol.items() if key not in common)
        names.setdefault(own, []).append(name)
    yield from (f"{', '.join(alike)}: {own}" for own, alike in names.items())


def _print_differences(differences: "dict[str, Difference]") -> None:
    typer.echo(f"{'':<16} {'first':>10} {'second':>10}  second - first, 95 %")
    for name, one in differences.items():
        interval = "" if one.interval is None else f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}"
        verdict = f"{one.winner} is better" if one.winner else ""
        typer.echo(f"{name:<16} {one.first:>10.4f} {one.second:>10.4f}  {interval:<22} {verdict}".rstrip())
