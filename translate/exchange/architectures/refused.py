"""Checkpoints that are recognized and yet of no use here: discriminators, and networks for videos or faces."""

from translate.exchange.architectures.contract import ArchitectureError, ImportOptions, Recognized, Tensors

GENERATOR = "a discriminator, which only judges pictures; import the generator's file"
# Names that a network has all of.
DISCRIMINATORS = {
    "UNetDiscriminatorSN (Real-ESRGAN)": ("conv0.weight", "conv1.weight_orig"),
    "VGGStyleDiscriminator (ESRGAN)": ("conv0_0.weight", "linear1.weight"),
    "StarGAN's critic": ("main.0.weight", "conv1.weight", "conv2.weight"),
    "a PixelGAN": ("net.0.weight", "net.2.weight"),
}
OTHERS = {
    "spynet.": "BasicVSR or another network for videos, which needs several frames at once",
    "pcd_align.": "EDVR, a network for videos, which needs several frames at once",
    "stylegan_decoder.": "GFPGAN or another network for faces alone",
    "quantize.embedding": "CodeFormer, a network for faces alone",
}


def refuse(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Refuse what is known to be no generator of pictures.

    Raises:
        ArchitectureError: It is one of those above.
    """
    del options
    for name, keys in DISCRIMINATORS.items():
        if all(key in tensors for key in keys):
            raise ArchitectureError(f"is {name}, {GENERATOR}")
    first = tensors.get("model.0.weight")
    if first is not None and first.ndim == 4 and first.shape[-1] == 4 and "model.2.weight" in tensors:
        raise ArchitectureError(f"is a PatchGAN, {GENERATOR}")
    for beginning, what in OTHERS.items():
        if any(name.startswith(beginning) for name in tensors):
            raise ArchitectureError(f"is {what}; only networks that take one whole picture can be imported")
    return None
