"""The generator of StarGAN, as its author's code names it."""

from datasets.contract import LabelSet
from models.networks.generators import StarGeneratorConfig
from models.stargan import StarGANConfig
from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognized,
    Tensors,
    adapt_norms,
    count,
    rename,
)

IMAGE_CHANNELS = 3


def recognize_stargan(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize the generator of StarGAN."""
    first = tensors.get("main.0.weight")
    if first is None or "main.9.main.0.weight" not in tensors or first.ndim != 4:
        return None
    labels = first.shape[1] - IMAGE_CHANNELS
    blocks = count(tensors, r"main\.(\d+)\.main\.") - 9
    names = _name_domains(labels, options.domains)
    norm = "batch" if options.statistics == "training" else "instance-affine"
    ours = rename(tensors, ((r"main\.(\d+)\.main\.", r"generator.layers.\1.layers."), (r"main\.", "generator.layers.")))
    norms = [name.removesuffix(".bias") for name in ours if name.endswith(".bias")]  # its convolutions have none
    generator = StarGeneratorConfig.model_validate({"blocks": blocks, "width": len(first), "norm": norm})
    config = StarGANConfig(
        channels=IMAGE_CHANNELS,
        domains=names,
        label_sets=(LabelSet(names=names, classes=False),),
        generator=generator,
    )
    return Recognized(
        config, adapt_norms(ours, norms, norm), f"StarGAN's generator for {labels} labels", trained_size=128
    )


def _name_domains(labels: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the labels: those given, or numbers from 1.

    Raises:
        ArchitectureError: There are more or fewer, or a name is given twice.
    """
    if not names:
        return tuple(f"label-{number}" for number in range(1, labels + 1))
    if len(names) != labels or len(set(names)) != labels:
        raise ArchitectureError(
            f"has {labels} labels, and `domains` names {len(set(names))}: name each, in their order"
        )
    return names
