"""LaMa's generator as its authors name it: 18 blocks in the big model, 9 in the Fourier one."""

from models.backbones.lama import HALVINGS
from models.inpainting import InpaintingConfig
from models.networks.inpainters import LaMaConfig
from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognized,
    Tensors,
    count,
    rename,
)

FIRST_BLOCK = 2 + HALVINGS  # the number of the first residual block among the authors' layers
FOURIER = (
    (r"ffc\.convl2l\.", "local_to_local."),
    (r"ffc\.convl2g\.", "local_to_whole."),
    (r"ffc\.convg2l\.", "whole_to_local."),
    (r"ffc\.convg2g\.conv1\.(\d)\.", r"whole_to_whole.narrow.\1."),
    (r"ffc\.convg2g\.fu\.conv_layer\.", "whole_to_whole.spectrum.0."),
    (r"ffc\.convg2g\.fu\.bn\.", "whole_to_whole.spectrum.1."),
    (r"ffc\.convg2g\.conv2\.", "whole_to_whole.widen."),
    (r"bn_l\.", "norm_local."),
    (r"bn_g\.", "norm_whole."),
)
# Its authors train on squares of 256 pixels and test on 512, and their own refinement of large pictures starts from
# sides of 512: a hole is filled from crops of about that size.
WORKING_SIZE = 512


def recognize_lama(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize LaMa's generator."""
    del options
    tensors = rename(tensors, ((r"model\.model\.", "model."),))
    if "model.1.ffc.convl2l.weight" not in tensors:
        return None
    first = tensors["model.1.ffc.convl2l.weight"]
    if first.shape[1] != 4:
        raise ArchitectureError(f"is LaMa for {first.shape[1]} channels, and only RGB with a mask can be imported")
    for part, what in (("lfu.", "local Fourier units"), (".gate.", "gates")):
        if any(part in name for name in tensors):
            raise ArchitectureError(f"is LaMa with {what}, which the published big and Fourier models have not")
    blocks = count(tensors, r"model\.(\d+)\.conv1\.") - FIRST_BLOCK
    ours = {f"generator.{name}": tensor for name, tensor in rename(tensors, _rules(blocks)).items()}
    config = InpaintingConfig(generator=LaMaConfig(blocks=blocks, width=len(first)))
    kind = {18: "big", 9: "Fourier"}.get(blocks, "")
    return Recognized(config, ours, f"LaMa {kind}".strip() + f", {blocks} blocks", trained_size=WORKING_SIZE)


def _rules(blocks: int) -> list[tuple[str, str]]:
    """Return how the authors' numbered layers are called here."""
    rules = [(r"model\.1\.ffc\.convl2l\.", "first.0."), (r"model\.1\.bn_l\.", "first.1.")]
    for halving in range(HALVINGS - 1):
        layer = halving + 2
        rules += [(rf"model\.{layer}\.ffc\.convl2l\.", f"down.{halving}.0.")]
        rules += [(rf"model\.{layer}\.bn_l\.", f"down.{halving}.1.")]
    split = rf"model\.{HALVINGS + 1}\."
    rules += [(rf"{split}ffc\.convl2l\.", "split.to_local."), (rf"{split}ffc\.convl2g\.", "split.to_whole.")]
    rules += [(rf"{split}bn_l\.", "split.norm_local."), (rf"{split}bn_g\.", "split.norm_whole.")]
    for block in range(blocks):
        for number, half in ((1, "first"), (2, "second")):
            old, new = rf"model\.{block + FIRST_BLOCK}\.conv{number}\.", f"blocks.{block}.{half}."
            rules += [(old + pattern, new + replacement) for pattern, replacement in FOURIER]
    up = FIRST_BLOCK + blocks + 1  # after the layer that joins both kinds of features
    for doubling in range(HALVINGS):
        for part in (0, 1):
            rules.append((rf"model\.{up + 3 * doubling + part}\.", f"up.{doubling}.{part}."))
    rules.append((rf"model\.{up + 3 * HALVINGS + 1}\.", "last."))
    return rules
