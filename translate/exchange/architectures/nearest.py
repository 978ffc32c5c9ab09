"""Which known architecture is nearest to a checkpoint that is of none, by the names of its modules."""

import re

from translate.exchange.architectures.contract import Tensors
from translate.exchange.architectures.deepfill import LAYERS

# The names of an architecture's modules, where # stands for any number; nested levels of a U-Net count as one.
KINDS: dict[str, frozenset[str]] = {
    "RRDBNet": frozenset(["conv_first", "body.#.rdb#.conv#", "conv_body", "conv_up#", "conv_hr", "conv_last"]),
    "RRDBNet under ESRGAN's names": frozenset(
        ["conv_first", "RRDB_trunk.#.RDB#.conv#", "trunk_conv", "upconv#", "HRconv", "conv_last"]
    ),
    "RRDBNet under its oldest names": frozenset(["model.#", "model.#.sub.#", "model.#.sub.#.RDB#.conv#.#"]),
    "SRVGGNetCompact": frozenset({"body.#"}),
    "MSRResNet": frozenset(["conv_first", "body.#.conv#", "upconv#", "conv_hr", "conv_last"]),
    "EDSR": frozenset(["conv_first", "body.#.conv#", "conv_after_body", "upsample.#", "conv_last"]),
    "pix2pix's U-Net": frozenset(["model.model.#", "model.model.#.model.#"]),
    "CycleGAN's or CUT's ResNet": frozenset(["model.#", "model.#.conv_block.#"]),
    "StarGAN's generator": frozenset(["main.#", "main.#.main.#"]),
    "LaMa": frozenset(
        {
            *(f"model.#.{half}{norm}" for half in ("", "conv#.") for norm in ("bn_l", "bn_g")),
            *(f"model.#.{half}ffc.{way}" for half in ("", "conv#.") for way in ("convl#l", "convl#g")),
            *("model.#", "model.#.conv#.ffc.convg#l", "model.#.conv#.ffc.convg#g.conv#"),
            *("model.#.conv#.ffc.convg#g.conv#.#", "model.#.conv#.ffc.convg#g.fu.bn"),
            "model.#.conv#.ffc.convg#g.fu.conv_layer",
        }
    ),
    "DeepFill v2": frozenset(re.sub(r"\d+", "#", f"{layer}.conv") for layer in LAYERS["pytorch"]),
    "DeepFill v2, padded as in TensorFlow": frozenset(
        re.sub(r"\d+", "#", f"{layer}.conv") for layer in LAYERS["tensorflow"]
    ),
}
ENOUGH = 0.5  # of an architecture's kinds of names, for it to be called near
PREFIXES = 2  # parts that programs put in front of all names, at most, as in `model.generator.conv_first`


def describe_nearest(tensors: Tensors) -> str:
    """Return in words which known architecture has most in common with these names of tensors.

    That is the one with the largest share of kinds that both have, of those that either has. Up to `PREFIXES` parts in
    front of the names are overlooked.
    """
    best, words = 0.0, "no known one has names like these"
    for dropped in range(PREFIXES + 1):
        kinds = {kind for kind in (kind_of(name, dropped) for name in tensors) if kind}
        for name, own in KINDS.items():
            common = len(own & kinds)
            share = common / len(own | kinds)
            if common >= ENOUGH * len(own) and share > best:
                behind = f" behind {'its prefix' if dropped == 1 else 'its prefixes'}" if dropped else ""
                best, words = (
                    share,
                    f"the nearest known is {name}, with {common} of its {len(own)} kinds of names{behind}",
                )
    return words


def kind_of(name: str, dropped: int = 0) -> str:
    """Return a tensor's module with # for its numbers, without the first `dropped` parts; empty: nothing is left."""
    module = ".".join(name.split(".")[dropped:-1])
    return re.sub(r"(\.#\.model)+", ".#.model", re.sub(r"\d+", "#", module))
