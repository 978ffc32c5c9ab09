"""What was measured of this machine, in the user's cache folder, so that it is measured once."""

import contextlib
import json
from pathlib import Path
from typing import Any

import torch

from datasets.errors import UserError
from translate.files import cache_folder, write_text
from translate.hardware import describe_machine


def remembered_file(name: str, threads: int, device: torch.device) -> Path:
    """Return the file for what is measured under `name` on this machine with so many threads."""
    machine = "-".join(str(value) for value in describe_machine(device).values()).replace(" ", "_").replace("/", "_")
    return cache_folder() / f"{name}-{machine}-{threads}.json"


def recall(path: Path) -> dict[str, Any]:
    """Return what was measured; nothing if it never was, or the file is damaged."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def remember(path: Path, record: dict[str, Any]) -> None:
    """Write down what was measured; if that cannot be written, it will be measured again."""
    with contextlib.suppress(UserError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(record))
