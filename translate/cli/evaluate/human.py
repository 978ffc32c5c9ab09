"""`translate eval human`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Json, print_json


def human(
    answers: Annotated[list[Path], typer.Argument(metavar="ANSWERS", help="Files that a page saved, one a person.")],
    as_json: Json = False,
) -> None:
    """Score the answers to a page that `eval folders PRED REF --human PAGE.html` wrote."""
    from datasets.errors import count_of
    from translate.evaluation.human import score_answers

    score = score_answers(answers)
    if as_json:
        print_json(score.__dict__)
        return
    low, high = score.interval
    fraction = score.chosen / score.answers
    of_people = f"{count_of(score.answers, 'answer')} of {score.people} {'person' if score.people == 1 else 'people'}"
    typer.echo(f"{score.first} over {score.second}: {fraction:.1%} of {of_people}, 95 % {low:.1%} to {high:.1%}")
    if low <= 0.5 <= high:
        typer.echo("which may be chance")
