"""`translate data check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli.common import Json, absolute, console, option, print_json, spell_options
from translate.cli.evaluate.measure import show_bar

if TYPE_CHECKING:
    from translate.evaluation.data_check.findings import CheckReport

BAD_DATA = 5  # exit code
SHOWN = 40  # findings that are printed; a page has all of them


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of training data.")],
    recipe: Annotated[str | None, option("That is to learn from it; one that fits", metavar="NAME")] = None,
    settings: Annotated[list[str] | None, option("Change the recipe", "--set", metavar="KEY=VALUE")] = None,
    out: Annotated[
        Path | None, option("Write a page, and a contact sheet beside it", "--out", metavar="FILE.html")
    ] = None,
    fix: Annotated[
        Path | None, option("Write a list of the good files; no file is changed", "--fix", metavar="LIST")
    ] = None,
    json: Json = False,
) -> None:
    """Look for what would spoil a training, and end with 5 if one would fail.

    Unreadable files, wrong pairs, copies and leaks, blocks, borders, odd labels and masks.
    """
    from datasets.errors import OptionError
    from translate.evaluation.data_check.check import check_data, describe_count
    from translate.evaluation.data_check.page import write_page, write_sheet
    from translate.files import write_text

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise OptionError("out", f"expected a page such as report.html, found {out}")
    with show_bar() as start:
        report = check_data(folder, recipe=recipe, overrides=settings or (), start=start)
    if out is not None:
        write_page(report, out)
        write_sheet(report, out.with_suffix(".png"))
    if fix is not None:
        write_text(fix, "".join(f"{folder / name}\n" for name in report.usable))
    if json:
        print_json(report.to_document())
    else:
        _print(report)
    console().print(f"done {describe_count(report)} → {absolute(out or folder)}", markup=False)
    raise typer.Exit(BAD_DATA if report.would_fail else 0)


def _print(report: "CheckReport") -> None:
    layout = report.layout
    settings = "".join(f" --set {setting}" for setting in layout.settings)
    typer.echo(f"{layout.kind}, as for `translate train {layout.recipe}{settings}`")
    for name, counts in report.facts.items():
        values = [f"{count} {value}" for value, count in [*counts.items()][:5]]
        typer.echo(f"{name}: {', '.join(values)}{' …' if len(counts) > 5 else ''}")
    for finding in report.findings[:SHOWN]:
        files = ", ".join(finding.files[:4]) + (f" and {len(finding.files) - 4} more" if len(finding.files) > 4 else "")
        where = f"{files}: " if files else ""
        typer.echo(f"{finding.severity}: {where}{spell_options(finding.message)} ({finding.kind})")
    if len(report.findings) > SHOWN:
        typer.echo(f"and {len(report.findings) - SHOWN} more; --out report.html writes all of them")
