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
SCALES = {3: 4, 12: 2, 48: 1}  # by the channels of the first convolution: smaller scales fold pixels into channels


def recognize_rrdb(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize RRDBNet."""
    del options
    named = rename(_name_oldest(tensors), OLD)
    if "body.0.rdb1.conv1.weight" not in named or "conv_first.weight" not in named:
        return None
    first, growth = named["conv_first.weight"], named["body.0.rdb1.conv1.weight"]
    blocks, width = count(named, r"body\.(\d+)\.rdb"), len(first)
    if first.shape[1] not in SCALES:
        raise ArchitectureError(f"is RRDBNet for {first.shape[1]} channels, and only RGB can be imported")
    scale = SCALES[first.shape[1]]
    ours = {f"generator.{_from_zero(name)}": tensor for name, tensor in rename(named, NEW).items()}
    config = RRDBConfig(blocks=blocks, width=width, growth=len(growth))
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
    return rename(
        tensors,
        (
            (r"model\.0\.", "conv_first."),
            (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"RRDB_trunk.\1.RDB\2.conv\3."),
            (rf"model\.1\.sub\.{blocks}\.", "trunk_conv."),
            (r"model\.3\.", "upconv1."),
            (r"model\.6\.", "upconv2."),
            (r"model\.8\.", "HRconv."),
            (r"model\.10\.", "conv_last."),
        ),
    )


def _from_zero(name: str) -> str:
    """Return the name with numbers in angle brackets, which begin at 1, counted from 0."""
    for number in range(1, 6):
        name = name.replace(f"<{number}>", str(number - 1))
    return name
