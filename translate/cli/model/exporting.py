"""`translate model export`."""

from pathlib import Path
from typing import Annotated

import typer

from translate.cli.common import Best, Json, absolute, choose_model, console, flag, option, print_json


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, a run folder, or a model that ships.")],
    to: Annotated[str, option("What shall read it", metavar="onnx|openvino|torch-export|ncnn|dtmodel")] = "onnx",
    out: Annotated[Path | None, option("File to write; else MODEL's name, in this folder", metavar="FILE")] = None,
    domain: Annotated[str | None, option("What it translates to, where there are several", metavar="NAME")] = None,
    to_size: Annotated[str | None, option("The only size that it takes; else any", metavar="WxH")] = None,
    fp16: Annotated[bool, flag("Halve the file: weights of 16 bits", "--fp16")] = False,
    opset: Annotated[int | None, option("Of ONNX, 17 to 20; else 18", metavar="N")] = None,
    best: Best = False,
    json: Json = False,
) -> None:
    """Write a model as a file for other programs, which takes and returns RGB from 0 to 1.

    The file is compared with the model on five photographs, and kept only if both agree. A JSON file beside it says how
    to call it. `dtmodel` is for darktable's neural restore.
    """
    from translate.exchange.exporting.export import export_model

    size = None if to_size is None else _parse_size(to_size)
    exported = export_model(choose_model(model, best=best), to, out, domain=domain, size=size, fp16=fp16, opset=opset)
    if json:
        print_json({"out": absolute(exported.files[0]), **exported.description})
        return
    verified = exported.verified
    console().print(
        f"verified on {len(verified.comparisons)} inputs: largest difference {verified.largest_difference:.1e}, "
        f"allowed {verified.bound:g}",
        markup=False,
    )
    typer.echo(absolute(exported.files[0]))


def _parse_size(text: str) -> tuple[int, int]:
    from datasets.errors import UserError

    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UserError(f"--to-size {text}: expected width and height in pixels, such as 640x480")
    return int(width), int(height)
