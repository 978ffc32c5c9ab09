"""RRDBNet under its three namings: of BasicSR and Real-ESRGAN, of ESRGAN, and of most files that people share."""

from models.networks.upscalers import RRDBConfig
from models.srgan import SRGANConfig
from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognized,
    Tensors,
    count,
    rename,
)

NEW = (
    (r"conv_first\.", "first."),
    (r"body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"blocks.\1.blocks.<\2>.layers.<\3>."),
    (r"conv_body\.", "last."),
    (r"conv_up(\d)\.", r"up.<\1>."),
    (r"conv_hr\.", "detail."),
    (r"conv_last\.", "tail."),
)
OLD = (
    (r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.", r"body.\1.rdb\2.conv\3."),
    (r"trunk_conv\.", "conv_body."),
    (r"upconv(\d)\.", r"conv_up\1."),
    (r"HRconv\.", "conv_hr."),
)
FOLDS = {3: 1, 12: 2, 48: 4}  # sides of the squares of RGB pixels that become channels, by how many these are


def recognize_rrdb(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize RRDBNet."""
    del options
    named = rename(_name_oldest(tensors), OLD)
    if "body.0.rdb1.conv1.weight" not in named or "conv_first.weight" not in named:
        return None
    first, growth = named["conv_first.weight"], named["body.0.rdb1.conv1.weight"]
    blocks, width = count(named, r"body\.(\d+)\.rdb"), len(first)
    if first.shape[1] not in FOLDS:
        raise ArchitectureError(f"is RRDBNet for {first.shape[1]} channels, and only RGB can be imported")
    fold, enlarged = FOLDS[first.shape[1]], 2 ** count(named, r"conv_up(\d)\.", start=1)
    scale = enlarged // fold
    if scale not in (1, 2, 4) or enlarged % fold:
        raise ArchitectureError(f"is RRDBNet that enlarges {enlarged / fold:g} times, and 1, 2 and 4 can be imported")
    ours = {f"generator.{_from_zero(name)}": tensor for name, tensor in rename(named, NEW).items()}
    usual = fold * scale == 4
    config = RRDBConfig(blocks=blocks, width=width, growth=len(growth), fold=None if usual else fold)
    return Recognized(
        SRGANConfig(scale=scale, generator=config, pixel_steps=None),
        ours,
        f"RRDBNet (ESRGAN, Real-ESRGAN) x{scale}, {blocks} blocks",
    )


def _name_oldest(tensors: Tensors) -> Tensors:
    """Return the tensors of the oldest naming, a flat list of layers, under the names of ESRGAN."""
    if "model.1.sub.0.RDB1.conv1.0.weight" not in tensors:
        return tensors
    blocks = count(tensors, r"model\.1\.sub\.(\d+)\.RDB")
    doublings = (count(tensors, r"model\.(\d+)\.") - 5) // 3  # of three layers each: nearest, convolution, LeakyReLU
    return rename(
        tensors,
        (
            (r"model\.0\.", "conv_first."),
            (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"RRDB_trunk.\1.RDB\2.conv\3."),
            (rf"model\.1\.sub\.{blocks}\.", "trunk_conv."),
            *((rf"model\.{3 * step}\.", f"upconv{step}.") for step in range(1, doublings + 1)),
            (rf"model\.{3 * doublings + 2}\.", "HRconv."),
            (rf"model\.{3 * doublings + 4}\.", "conv_last."),
        ),
    )


def _from_zero(name: str) -> str:
    """Return the name with numbers in angle brackets, which begin at 1, counted from 0."""
    for number in range(1, 6):
        name = name.replace(f"<{number}>", str(number - 1))
    return name
