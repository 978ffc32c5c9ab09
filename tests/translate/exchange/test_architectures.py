"""Checkpoints as others publish them give the outputs that their authors' code gives, through the real path."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from translate.exchange.architectures.contract import ImportOptions
from translate.exchange.architectures.nearest import KINDS, kind_of
from translate.exchange.importing import import_model
from translate.exchange.recognition import check_complete, recognize
from translate.inference.model import load_model
from translate.inference.model_file import ModelError, load_network


def conv(name, before, after, kernel=3, bias=True, transposed=False):
    shape = (before, after, kernel, kernel) if transposed else (after, before, kernel, kernel)
    return {f"{name}.weight": shape, **({f"{name}.bias": (after,)} if bias else {})}


def norm(name, channels):
    vectors = {f"{name}.{leaf}": (channels,) for leaf in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def rrdb(blocks, channels=3, width=64, growth=32):
    shapes = conv("conv_first", channels, width)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for place in range(5):
                name, after = f"body.{block}.rdb{dense}.conv{place + 1}", growth if place < 4 else width
                shapes |= conv(name, width + place * growth, after)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        shapes |= conv(name, width, width)
    return shapes | conv("conv_last", width, 3)


def compact(depth, scale=4, width=64):
    shapes = conv("body.0", 3, width) | {"body.1.weight": (width,)}
    for place in range(1, depth + 1):
        shapes |= conv(f"body.{2 * place}", width, width) | {f"body.{2 * place + 1}.weight": (width,)}
    return shapes | conv(f"body.{2 * depth + 2}", width, 3 * scale**2)


def residual(last, blocks=16, width=64):
    shapes = conv("conv_first", 3, width)
    for block in range(blocks):
        shapes |= conv(f"body.{block}.conv1", width, width) | conv(f"body.{block}.conv2", width, width)
    if last == "edsr":
        shapes |= conv("conv_after_body", width, width)
        shapes |= conv("upsample.0", width, 4 * width) | conv("upsample.2", width, 4 * width)
    else:
        shapes |= conv("upconv1", width, 4 * width) | conv("upconv2", width, 4 * width) | conv("conv_hr", width, width)
    return shapes | conv("conv_last", width, 3)


def resnet(blocks=9, width=64, batch=False, dropout=False, blurred=False):
    """Of the authors of CycleGAN or, blurred, of CUT."""
    step, bias = 4 if blurred else 3, not batch

    def layer(name, before, after, kernel=3, transposed=False):
        head, _, number = name.rpartition(".")
        shapes = conv(name, before, after, kernel, bias, transposed)
        return shapes | (norm(f"{head}.{int(number) + 1}", after) if batch else {})

    shapes = layer("model.1", 3, width, 7)
    for index, before in enumerate((width, 2 * width)):
        shapes |= layer(f"model.{4 + index * step}", before, 2 * before)
        shapes |= {f"model.{7 + index * step}.filt": (2 * before, 1, 3, 3)} if blurred else {}
    first = 4 + 2 * step
    for block in range(blocks):
        for place in (1, 6 if dropout else 5):
            shapes |= layer(f"model.{first + block}.conv_block.{place}", 4 * width, 4 * width)
    for index, before in enumerate((4 * width, 2 * width)):
        start = first + blocks + index * step
        shapes |= {f"model.{start}.filt": (before, 1, 4, 4)} if blurred else {}
        shapes |= layer(f"model.{start + blurred}", before, before // 2, transposed=not blurred)
    return shapes | conv(f"model.{first + blocks + 2 * step + 1}", width, 3, 7)


def unet(depth=8, width=64):
    widths = [width * min(2**level, 8) for level in range(depth)]
    shapes, prefix = conv("model.model.0", 3, width, 4, bias=False), "model.model"
    shapes |= conv("model.model.3", 2 * width, 3, 4, transposed=True)
    for level in range(1, depth):
        prefix += ".1.model" if level == 1 else ".3.model"
        innermost, up = level == depth - 1, 3 if level == depth - 1 else 5
        shapes |= conv(f"{prefix}.1", widths[level - 1], widths[level], 4, bias=False)
        shapes |= {} if innermost else norm(f"{prefix}.2", widths[level])
        before = widths[level] * (1 if innermost else 2)
        shapes |= conv(f"{prefix}.{up}", before, widths[level - 1], 4, bias=False, transposed=True)
        shapes |= norm(f"{prefix}.{up + 1}", widths[level - 1])
    return shapes


def stargan(labels=5, width=64):
    def layer(name, before, after, kernel, transposed=False):
        head, _, number = name.rpartition(".")
        return conv(name, before, after, kernel, False, transposed) | norm(f"{head}.{int(number) + 1}", after)

    shapes = layer("main.0", 3 + labels, width, 7) | layer("main.3", width, 2 * width, 4)
    shapes |= layer("main.6", 2 * width, 4 * width, 4)
    for block in range(9, 15):
        for place in (0, 3):
            shapes |= layer(f"main.{block}.main.{place}", 4 * width, 4 * width, 3)
    shapes |= layer("main.15", 4 * width, 2 * width, 4, True) | layer("main.18", 2 * width, width, 4, True)
    return shapes | conv("main.21", width, 3, 7, bias=False)


def old_names(shapes):
    """RRDBNet's names before BasicSR."""
    rules = [(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2"), (r"^conv_body", "trunk_conv")]
    rules += [(r"^conv_up(\d)", r"upconv\1"), (r"^conv_hr", "HRconv")]
    return rename(shapes, rules)


def oldest_names(shapes, blocks):
    rules = [(r"^body\.(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0"), (r"^conv_first", "model.0")]
    rules += [(r"^conv_body", f"model.1.sub.{blocks}"), (r"^conv_up1", "model.3"), (r"^conv_up2", "model.6")]
    return rename(shapes, [*rules, (r"^conv_hr", "model.8"), (r"^conv_last", "model.10")])


def rename(shapes, rules):
    for pattern, replacement in rules:
        shapes = {re.sub(pattern, replacement, name): value for name, value in shapes.items()}
    return shapes


def draw(*shape):
    return torch.as_tensor(np.random.RandomState(0).uniform(-1, 1, shape), dtype=torch.float32)


def summary(output):
    return [output.mean().item(), output.std(correction=0).item(), *output.flatten()[:2].tolist()]


# What the authors' code makes of checkpoints that are filled by the rule of conftest.py; measured with their code.
UPSCALERS = {
    "rrdb-6": (rrdb(6), [0.713025, 0.427772, 0.13059, 0.18188]),
    "compact-16": (compact(16), [0.438272, 0.474782, 0.37342, 0.82245]),
    "msrresnet": (residual("msrresnet"), [2.296074, 3.364424, 1.19865, 0.52981]),
    "edsr": (residual("edsr"), [-1.426285, 6.549846, -0.56499, 1.26458]),
}
TRANSLATORS = {
    "resnet-9": (resnet(), 256, "picture", 0, [-0.063030, 0.586510, 0.30724, 0.61065]),
    "stargan": (stargan(), 128, "picture", (0, 3, 4), [-0.034490, 0.491068, 0.11427, 0.31070]),
    "stargan-eval": (stargan(), 128, "training", (0, 3, 4), [0.056957, 0.210266, -0.01964, 0.20458]),
}


NAMES = {
    "RRDBNet": rrdb(2),
    "RRDBNet under ESRGAN's names": old_names(rrdb(2)),
    "RRDBNet under its oldest names": oldest_names(rrdb(2), 2),
    "SRVGGNetCompact": compact(2),
    "MSRResNet": residual("msrresnet"),
    "EDSR": residual("edsr"),
    "pix2pix's U-Net": unet(),
    "CycleGAN's or CUT's ResNet": resnet(),
    "StarGAN's generator": stargan(),
}


@pytest.mark.parametrize("name", NAMES)
def test_kinds_of_names_are_those_of_the_files(name):
    assert {kind_of(each) for each in NAMES[name]} == KINDS[name]


@pytest.mark.parametrize("name", UPSCALERS)
def test_upscalers_give_their_authors_outputs(name, tmp_path, fill):
    shapes, expected = UPSCALERS[name]
    torch.save({"params_ema": fill(shapes)}, tmp_path / "a.pth")
    network, _ = load_network(import_model(tmp_path / "a.pth", tmp_path / "a.safetensors"))
    with torch.inference_mode():
        assert summary((network(draw(1, 3, 16, 16)) + 1) / 2) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_translators_give_their_authors_outputs(name, tmp_path, fill):
    shapes, size, statistics, domain, expected = TRANSLATORS[name]
    torch.save({f"module.{key}": tensor for key, tensor in fill(shapes).items()}, tmp_path / "a.pth")
    network, _ = load_network(import_model(tmp_path / "a.pth", tmp_path / "a.safetensors", statistics=statistics))
    with torch.inference_mode():
        assert summary(network(draw(1, 3, size, size), domain)) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def network_of(tensors, **options):
    """The network of a checkpoint, without a file in between."""
    found = recognize(tensors, ImportOptions(**options))
    network = found.model.translator().eval()
    check_complete(found, network.state_dict())
    network.load_state_dict(found.tensors)
    return network


def test_both_statistics_of_a_unet_are_its_authors(fill):
    tensors, image = fill(unet()), draw(1, 3, 256, 256)
    with torch.inference_mode():
        own, kept = (network_of(tensors, statistics=name)(image) for name in ("picture", "training"))
    assert summary(own) == pytest.approx([0.049617, 0.770716, 0.54012, 0.22016], rel=1e-4, abs=1e-5)
    assert summary(kept) == pytest.approx([-0.031871, 0.625116, -0.11736, 0.23653], rel=1e-4, abs=1e-5)


def test_every_naming_of_rrdb_is_the_same_network(fill):
    shapes, image = rrdb(2, width=8, growth=4), draw(1, 3, 8, 8)
    tensors = fill(shapes)
    expected = network_of(tensors)(image)
    old = {name: tensors[key] for name, key in zip(old_names(shapes), shapes, strict=True)}
    oldest = {name: tensors[key] for name, key in zip(oldest_names(shapes, 2), shapes, strict=True)}
    assert torch.equal(network_of(old)(image), expected)
    assert torch.equal(network_of(oldest)(image), expected)


@pytest.mark.parametrize(("channels", "scale"), [(3, 4), (12, 2), (48, 1)])
def test_folded_pixels_tell_the_scale_of_rrdb(channels, scale, fill):
    assert network_of(fill(rrdb(1, channels, width=8, growth=4))).scale == scale


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_every_scale_of_compact_is_found(scale, fill):
    network = network_of(fill(compact(2, scale, width=8)))
    assert network.scale == scale


def test_an_old_file_needs_no_statistics_nor_counts(fill):
    tensors = fill(resnet(1, width=4))
    expected = network_of(tensors)(draw(1, 3, 16, 16))
    old = tensors | {"model.2.running_mean": torch.zeros(4), "model.2.running_var": torch.ones(4)}
    assert torch.equal(network_of(old)(draw(1, 3, 16, 16)), expected)
    batch = {k: v for k, v in fill(resnet(1, width=4, batch=True)).items() if not k.endswith("num_batches_tracked")}
    assert network_of(batch).global_norm
    assert not network_of(batch, statistics="training").global_norm


def test_dropout_moves_a_layer_and_changes_nothing(fill):
    plain, dropped = fill(resnet(1, width=4)), {}
    for name, tensor in plain.items():
        dropped[name.replace("conv_block.5", "conv_block.6")] = tensor
    network = network_of(dropped)
    assert any(isinstance(layer, nn.Dropout) and layer.p == 0.5 for layer in network.modules())
    assert torch.equal(network(draw(1, 3, 16, 16)), network_of(plain)(draw(1, 3, 16, 16)))


def test_cut_blurs_by_the_filters_of_its_file(fill):
    tensors = fill(resnet(2, width=4, blurred=True))
    for name in [name for name in tensors if name.endswith(".filt")]:
        taps = torch.tensor([1.0, 2, 1] if tensors[name].shape[-1] == 3 else [1.0, 3, 3, 1])
        gain = 1 if len(taps) == 3 else 4
        tensors[name] = (gain * torch.outer(taps, taps) / taps.sum() ** 2).expand(tensors[name].shape).clone()
    network = network_of(tensors)
    assert network(draw(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    tensors["model.7.filt"] = tensors["model.7.filt"] + 0.1
    with pytest.raises(ValueError, match=r"1 tensors more, such as model\.7\.filt"):
        network_of(tensors)


def test_two_ways_become_one_model(tmp_path, fill):
    for name, seed in (("horse2zebra", 0.0), ("zebra2horse", 0.5)):
        torch.save({key: tensor + seed for key, tensor in fill(resnet(1, width=4)).items()}, tmp_path / f"{name}.pth")
    there, back = tmp_path / "horse2zebra.pth", tmp_path / "zebra2horse.pth"
    both = load_model(import_model(there, other=back, domains=["horse", "zebra"]), device="cpu", precision="fp32")
    assert both.translator.domains == ("horse", "zebra")
    image = draw(3, 16, 16)
    for to, path in (("zebra", there), ("horse", back)):
        alone = load_model(import_model(path), device="cpu", precision="fp32")
        assert torch.equal(both(image, to=to), alone(image))
    with pytest.raises(ModelError, match="`domains` needs two names"):
        import_model(there, other=back)


def test_labels_of_stargan_have_the_names_that_are_given(tmp_path, fill):
    tensors = fill(stargan(3, width=4))
    assert network_of(tensors).domains == ("label-1", "label-2", "label-3")
    network = network_of(tensors, domains=("blond", "male", "young"))
    assert network.resolve_domain("young,blond") == (0, 2)
    with pytest.raises(ValueError, match="has 3 labels, and `domains` names 2"):
        network_of(tensors, domains=("blond", "male"))


REFUSED = {
    "is a PatchGAN, a discriminator": conv("model.0", 6, 8, 4) | conv("model.2", 8, 16, 4, bias=False),
    "StarGAN's critic": conv("main.0", 3, 8, 4) | conv("conv1", 8, 1) | conv("conv2", 8, 5, 2),
    "is UNetDiscriminatorSN": conv("conv0", 3, 8) | {"conv1.weight_orig": (16, 8, 4, 4)},
    "is VGGStyleDiscriminator": conv("conv0_0", 3, 8) | {"linear1.weight": (100, 64)},
    "BasicVSR": conv("spynet.basic_module.0.basic_module.0", 8, 32, 7),
    "GFPGAN": conv("stylegan_decoder.style_conv1", 8, 8),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_no_generator_is_named(reason, fill):
    with pytest.raises(ValueError, match=reason):
        recognize(fill(REFUSED[reason]), ImportOptions())
