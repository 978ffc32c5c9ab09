"""How a model is run over pictures."""

from typing import Any, Literal

from pydantic import Field, field_validator

from datasets.codecs.images import PIXEL_LIMIT, SaveOptions
from datasets.contract import Options
from translate.inference.tiles import SMALLEST_TILE
from translate.inference.tiling import Norms, Tile

OnExists = Literal["error", "skip", "overwrite"]


class RunOptions(Options):
    """How to run a model over pictures.

    Attributes:
        to: The domains to translate to, of a model that has several; `all` means each of them. Attributes that can be
            changed together are named with commas between them. Several domains get a folder each.
        work_size: Scale the shorter side to this many pixels for the model, and the output back.
        batch: Pictures of equal size that the model gets at once; None: chosen by measurement during the run.
        tile: Pixels on a side of the tiles that pictures are cut into; "auto": only large pictures are; "off": none is.
        norms: Where a picture is cut into tiles, the statistics that norms over the whole picture use: "exact", or
            those of a reduced copy ("reduced"), which is much faster and leaves no seams, but gives another result.
        strength: How much of the model's output is mixed with how much of the picture, enlarged if the model enlarges:
            1 is the output, 0 the picture.
        on_exists: What to do where an output exists: refuse to start, skip what is up to date, or overwrite.
        recurse: Also read the pictures in subfolders.
        limit: Take the first pictures, so many. Where those that are up to date are skipped: so many others, and such
            as cannot be read do not count, since they would be the first again the next time.
        frames: Translate every picture of an animation or a TIFF of several pages (`all`), or leave such files alone.
        shard: (i, n), counted from 1: read every n-th picture, starting with the i-th.
        threads: Threads that decode, and as many that encode.
        pixel_limit: A picture of more pixels is refused, since it may be a decompression bomb.
        save: How the outputs are encoded.
    """

    to: tuple[str, ...] = ()
    work_size: int | None = Field(default=None, ge=1)
    batch: int | None = Field(default=None, ge=1)
    tile: Tile = "auto"
    norms: Norms = "exact"
    strength: float = Field(default=1.0, ge=0, le=1)
    on_exists: OnExists = "error"
    recurse: bool = True
    limit: int | None = Field(default=None, ge=1)
    frames: Literal["leave", "all"] = "leave"
    shard: tuple[int, int] = (1, 1)
    threads: int = Field(default=2, ge=1)
    pixel_limit: int = Field(default=PIXEL_LIMIT, ge=1)
    save: SaveOptions = SaveOptions()

    @field_validator("to", mode="before")
    @classmethod
    def _to_tuple(cls, to: Any) -> Any:
        return () if to is None else (to,) if isinstance(to, str) else to

    @field_validator("tile", mode="before")
    @classmethod
    def _check_tile(cls, tile: Any) -> Any:
        if tile in ("auto", "off"):
            return tile
        if not str(tile).isdecimal() or int(tile) < SMALLEST_TILE:
            raise ValueError(f"expected auto, off, or {SMALLEST_TILE} or more pixels on a side, found {tile}")
        return int(tile)

    @field_validator("shard")
    @classmethod
    def _check_shard(cls, shard: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= shard[0] <= shard[1]:
            raise ValueError(f"shard {shard[0]}/{shard[1]}: expected i/n with i from 1 to n")
        return shard
