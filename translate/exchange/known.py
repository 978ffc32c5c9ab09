"""Published checkpoints that the importer was built for: what they do, whose they are, and where the file is.

`known.csv` names for each of them the project that published it and the place that states its file, licence and hash.
Where none states a hash or a licence, it is left empty or unknown. Nothing is downloaded from these addresses.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("known.csv")


class KnownCheckpoint(NamedTuple):
    """A published checkpoint.

    Attributes:
        name: By which it is listed.
        file: To get from `where`; after a colon, the file within an archive.
        use: What it does to pictures.
        architecture: As what it is imported.
        scale: How many times larger it makes pictures.
        project: Which published it.
        licence: SPDX identifier of the weights' licence, or "unknown".
        where: Address of the file, or of the page that leads to it.
        sha256: Of the file, in hexadecimal digits; empty: none is stated.
        stated_in: What states all this.
    """

    name: str
    file: str
    use: str
    architecture: str
    scale: int
    project: str
    licence: str
    where: str
    sha256: str
    stated_in: str


@cache
def known_checkpoints() -> tuple[KnownCheckpoint, ...]:
    """Return the published checkpoints, upscalers first."""
    with FILE.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == KnownCheckpoint._fields
    scale = head.index("scale")
    return tuple(KnownCheckpoint._make([*row[:scale], int(row[scale]), *row[scale + 1 :]]) for row in rows)


def find_known(sha256: str) -> KnownCheckpoint | None:
    """Return the published checkpoint whose file has this hash; None: it is none of those whose hash is stated."""
    return next((known for known in known_checkpoints() if known.sha256 == sha256), None)
