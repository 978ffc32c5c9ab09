"""Find out which architecture a checkpoint's tensors are of."""

from importlib.util import find_spec

from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognize,
    Recognized,
    Tensors,
)
from translate.exchange.architectures.deepfill import recognize_deepfill
from translate.exchange.architectures.lama import recognize_lama
from translate.exchange.architectures.nearest import describe_nearest
from translate.exchange.architectures.plain_upscalers import recognize_compact, recognize_edsr, recognize_msrresnet
from translate.exchange.architectures.refused import refuse
from translate.exchange.architectures.resnet import recognize_resnet
from translate.exchange.architectures.rrdb import recognize_rrdb
from translate.exchange.architectures.stargan import recognize_stargan
from translate.exchange.architectures.unet import recognize_unet
from translate.exchange.architectures.zoo import recognize_zoo

# Asked in this order; a family that would also accept another's tensors comes after it.
ARCHITECTURES: tuple[Recognize, ...] = (
    refuse,
    recognize_rrdb,
    recognize_compact,
    recognize_msrresnet,
    recognize_edsr,
    recognize_unet,
    recognize_resnet,
    recognize_stargan,
    recognize_lama,
    recognize_deepfill,
    recognize_zoo,
)
SHOWN = 4  # names of tensors in an error message


def recognize(tensors: Tensors, options: ImportOptions) -> Recognized:
    """Return what a checkpoint is.

    Raises:
        ArchitectureError: It is of no known architecture, or of one that cannot be used.
    """
    for recognizes in ARCHITECTURES:
        found = recognizes(tensors, options)
        if found is not None:
            return found
    names = ", ".join(f"{name} {_shape(tensors[name].shape)}" for name in list(tensors)[:SHOWN])
    hint = "" if find_spec("spandrel") else "; more can be with spandrel: pip install 'translate-images[zoo]'"
    raise ArchitectureError(
        f"is of no architecture that can be imported; its {len(tensors)} tensors begin with {names}, and "
        f"{describe_nearest(tensors)}{hint}"
    )


def check_complete(found: Recognized, expected: Tensors) -> None:
    """Compare the tensors with those that our network, with or without memory behind its weights, expects.

    Raises:
        ArchitectureError: One is missing, has another shape, or is not known.
    """
    missing = [name for name in expected if name not in found.tensors]
    unknown = [name for name in found.tensors if name not in expected]
    if missing:
        raise ArchitectureError(
            f"looks like {found.description}, but {len(missing)} of its {len(expected)} tensors are missing, such as "
            f"{missing[0]}; is it half a checkpoint?"
        )
    if unknown:
        raise ArchitectureError(
            f"looks like {found.description}, but has {len(unknown)} tensors more, such as {unknown[0]}"
        )
    for name, tensor in expected.items():
        if found.tensors[name].shape != tensor.shape:
            raise ArchitectureError(
                f"looks like {found.description}, but {name} is {_shape(found.tensors[name].shape)}, expected "
                f"{_shape(tensor.shape)}"
            )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
