"""What a network is for, in words, and the verb that runs it."""

from typing import NamedTuple

from models.contract import Sampler, Translator

_CHANNELS = {1: "gray", 3: "colour", 4: "colour with alpha"}


class Use(NamedTuple):
    """The verb of the command line that runs a network, and what it does, as in "enlarges pictures 4 times"."""

    verb: str
    does: str


def find_use(network: Translator | Sampler) -> Use:
    """Return what a network is for."""
    if isinstance(network, Sampler):
        return Use("sample", "makes pictures from noise")
    if network.fills_holes:
        return Use("inpaint", "fills holes in pictures")
    if network.scale > 1:
        return Use("upscale", f"enlarges pictures {network.scale} times")
    before, after = (_CHANNELS.get(count, f"{count}-channel") for count in (network.channels_in, network.channels_out))
    return Use("run", f"translates {before} pictures{'' if before == after else f' to {after}'}")
