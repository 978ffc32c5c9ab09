"""Read what older versions of this program wrote: model files and run folders outlive the names of their settings.

Everything that is written carries the number of its format. Each step below brings a plain tree from one format to the
next and is never changed once released; a setting that is renamed raises `FORMAT` and adds a step, here and nowhere
else. The functions return new trees and leave those they are given alone.
"""

import re
from collections.abc import Mapping
from typing import Any

FORMAT = 3  # 3: a description may have an `origin`, `tensor_hashes` and a `probe`; nothing was renamed

Tree = dict[str, Any]


class NewerFormatError(ValueError):
    """Something was written in a format that this version does not know yet; `str` says so."""


def migrate_card(tree: Mapping[str, Any]) -> Tree:
    """Return a model file's description in today's format.

    Raises:
        KeyError: It has no format.
        NewerFormatError: A newer version wrote it.
    """
    card = dict(tree)
    if _format(card.pop("format")) < 2:
        card["experiment"] = _experiment_1_to_2(card["experiment"])
        card = _rename(card, figures="metrics")
    return {"format": FORMAT, **card}


def migrate_config(tree: Mapping[str, Any]) -> Tree:
    """Return what a run folder's `config.yaml` holds in today's format, without the number of the format.

    Raises:
        NewerFormatError: A newer version wrote it.
    """
    config = dict(tree)
    if _format(config.pop("format", 1)) < 2:  # format 1 had no number
        config = _experiment_1_to_2(config)
        # So that a resumed run does not decide it anew: the threads were the only way.
        config["training"] = {**config["training"], "degrade_on": "threads"}
    return config


def migrate_state(tree: Mapping[str, Any]) -> Tree:
    """Return what a run folder's `state.pt` holds in today's format, without the number of the format.

    Raises:
        NewerFormatError: A newer version wrote it.
    """
    state = dict(tree)
    if _format(state.pop("format", 1)) < 2:  # format 1 had no number
        state = _rename(state, figures="metrics")
        state["best"] = _rename(state["best"], figure="metric")
        state["recipe"] = {_rename_discriminator(name): value for name, value in state["recipe"].items()}
    return state


def migrate_record(line: Mapping[str, Any]) -> Tree:
    """Return a line of `metrics.jsonl` as it is written today; one file may hold lines of several formats."""
    record = _rename(line, figures="metrics")
    if "losses" in record:
        record["losses"] = {_rename_accuracy(name): value for name, value in record["losses"].items()}
    return record


def _rename_discriminator(name: str) -> str:
    """Return what a tensor of CycleGAN's recipe is called since its judges are its discriminators."""
    return re.sub(r"^judge_(?=[ab]\.)", "discriminator_", name)


def _rename_accuracy(name: str) -> str:
    return re.sub(r"/recognised$", "/label_accuracy", re.sub(r"/right$", "/accuracy", name))


def _experiment_1_to_2(tree: Mapping[str, Any]) -> Tree:
    data = _rename(tree["data"], validation_share="validation_fraction")
    model = _rename(tree["model"], judged_size="discriminator_size")
    if "corruption" in model:
        model["corruption"] = _rename(model["corruption"], share="fraction")
    return {**tree, "model": model, "data": data}


def _rename(tree: Mapping[str, Any], **names: str) -> Tree:
    return {names.get(key, key): value for key, value in tree.items()}


def _format(number: Any) -> int:
    if not isinstance(number, int):
        raise ValueError(f"format is {number!r}, expected a whole number")
    if number > FORMAT:
        raise NewerFormatError("was written by a newer version of translate than this one: update translate to read it")
    return number
