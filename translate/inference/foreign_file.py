"""What a file is that was given for a model and is none, in words."""

import json
from pathlib import Path

_PICTURE = "is a picture and not a model; a model is named first, and then the pictures"
# How files begin that are often taken for models, and what to say about them.
_BEGINNINGS = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself; download the file"),
    (b"\x89HDF", "is an HDF5 file, as Keras writes; expected torch's or safetensors"),
    (b"GGUF", "is a GGUF file; expected torch's or safetensors"),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"II*\0", _PICTURE),
    (b"MM\0*", _PICTURE),
    (b"<", "is a web page; the download went wrong"),
)
_NAMED = 8  # runs, at most, in a message about a folder of them
_LARGEST_HEADER = 100_000_000  # bytes, of safetensors


def explain_beginning(path: Path) -> str | None:
    """Return what a file is by its first bytes, if it is empty or of a kind that is often taken for a model.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(32)
    if not start:
        return "is empty"
    is_webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return _PICTURE if is_webp else next((what for head, what in _BEGINNINGS if start.startswith(head)), None)


def explain_safetensors(path: Path) -> str | None:
    """Return why a file that should be safetensors cannot be read, if that can be told.

    Raises:
        OSError: It cannot be read.
    """
    known = explain_beginning(path)
    if known is not None:
        return known
    with path.open("rb") as file:
        start = file.read(9)
        if start.startswith((b"PK\3\4", b"\x80")):
            return "is a checkpoint of torch, whatever its name says; name it .pth to import it"
        header = int.from_bytes(start[:8], "little")
        if start[8:] != b"{" or header > _LARGEST_HEADER:
            return None
        file.seek(8)
        text, size = file.read(header), path.stat().st_size
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(text).items() if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return _cut_off(size) if len(text) < header else None
    whole = 8 + header + max(ends, default=0)
    return _cut_off(size, whole) if size < whole else None


def describe_folder(folder: Path, last: str) -> str:
    """Return what of models is in a folder that is no run folder; a run's last model has the name `last`."""
    runs = sorted(path.parent for path in folder.glob(f"*/{last}"))
    files = sorted(folder.glob("*.safetensors"))
    if not runs and not files:
        return "none"
    shown = ", ".join(map(str, (runs or files)[:_NAMED]))
    more = f" and {len(runs or files) - _NAMED} more" if len(runs or files) > _NAMED else ""
    return f"{'a folder of runs' if runs else 'model files'}; name one of them: {shown}{more}"


def _cut_off(size: int, whole: int | None = None) -> str:
    share = f"{size:,} bytes" if whole is None else f"{size:,} of {whole:,} bytes"
    return f"is cut off: it ends after {share}; download or copy it again"
