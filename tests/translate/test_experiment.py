"""Configurations: what is accepted, and the message for what is not."""

import re
from pathlib import Path

import pytest
import yaml

from datasets.errors import UserError
from datasets.paired import PairedConfig
from datasets.pairs import PairFolders
from models.networks.generators import ResNetConfig, UNetConfig
from models.pix2pix import Pix2PixConfig
from translate.experiment import Experiment, load_experiment, parse_experiment

GOOD = {"model": {"name": "pix2pix"}, "data": {"kind": "paired"}}


def refusal(tree: object) -> str:
    """The message for a configuration that is refused."""
    with pytest.raises(UserError) as caught:
        parse_experiment(tree, "my.yaml")
    sentence = str(caught.value)
    assert sentence.startswith("my.yaml: ")
    assert not any(trace in sentence for trace in ("\n", "pydantic", "validation error", "instance of", "Config"))
    return sentence.removeprefix("my.yaml: ")


def changed(path: str, value: object) -> dict:
    """A good configuration with one thing put in."""
    tree = yaml.safe_load(yaml.safe_dump(GOOD))
    *sections, last = path.split(".")
    place = tree
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    return tree


def test_a_good_configuration_is_accepted_and_survives_yaml():
    experiment = parse_experiment(GOOD, "my.yaml")
    assert parse_experiment(yaml.safe_load(yaml.safe_dump(experiment.model_dump(mode="json"))), "again") == experiment


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("trainig", "trainig: unknown; did you mean training?"),
        ("model.l1_wieght", "model.l1_wieght: unknown; did you mean l1_weight?"),
        ("model.generator.dept", "model.generator.dept: unknown; did you mean depth?"),
        ("model.generator_adam.lrr", "model.generator_adam.lrr: unknown; did you mean lr?"),
        ("data.crop.sise", "data.crop.sise: unknown; did you mean size?"),
        ("data.pairs.sorce", "data.pairs.sorce: unknown; did you mean source?"),
        ("training.xyz", "training.xyz: unknown; known are steps, batch_size, "),
        ("training.Batch-Size", "training.Batch-Size: unknown; did you mean batch_size?"),
    ],
)
def test_a_typo_is_answered_with_its_path_and_what_was_meant(path, answer):
    assert refusal(changed(path, 1)).startswith(answer)


def test_a_typo_in_another_kind_of_section_is_answered_with_the_keys_of_that_kind():
    tree = changed("model.generator", {"name": "resnet", "block": 3})
    assert refusal(tree) == "model.generator.block: unknown; did you mean blocks?"
    tree = changed("data.pairs", {"kind": "derived", "degradtion": "blur"})
    assert refusal(tree) == "data.pairs.degradtion: unknown; did you mean degradation?"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            "model.generator.name",
            "unte",
            ["model.generator.name: expected unet or resnet", "'unte'; did you mean unet?"],
        ),
        ("data.pairs.kind", "zip", ["data.pairs.kind: expected folders, side-by-side or derived, found 'zip'"]),
        (
            "model.name",
            "pix3pix",
            ["model.name: expected pix2pix, cyclegan, ", "found 'pix3pix'; did you mean pix2pix?"],
        ),
        ("model.adversarial", "nice", ["model.adversarial: expected ", "hinge", "'nice'"]),
        ("model.generator.norm", "layer", ["model.generator.norm: expected ", "instance", "'layer'"]),
    ],
)
def test_an_unknown_kind_is_answered_with_those_there_are(path, value, words):
    sentence = refusal(changed(path, value))
    assert all(word in sentence for word in words)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("training.steps", 0, ["training.steps: expected 1 or more, found 0"]),
        ("training.steps", "many", ["training.steps: expected a whole number, found 'many'"]),
        ("training.steps", None, ["training.steps: expected a whole number, found None"]),
        ("training.ema_decay", 1, ["training.ema_decay: expected a number below 1.0, found 1"]),
        ("training.threads", "some", ["training.threads: expected a whole number or auto, found 'some'"]),
        ("model.generator.depth", 1, ["model.generator.depth: expected 2 or more, found 1"]),
        ("model.generator", "unet", ["model.generator: expected a section with keys of its own, found 'unet'"]),
        ("data.validation_fraction", 1.5, ["data.validation_fraction: expected a number below 1"]),
        ("model.channels_in", 1, ["model.channels_in is 1, and the data's pictures have 3; set model.channels_in=3"]),
        ("data.target_channels", 1, ["model.channels_in is 3", "set model.channels_in=1"]),
        ("model.adversarial", "wasserstein", ["model: adversarial wasserstein needs a gradient_penalty_weight"]),
    ],
)
def test_a_value_that_cannot_be_is_answered_with_its_path_the_bound_and_itself(path, value, words):
    sentence = refusal(changed(path, value))
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize("tree", [None, [], "model", 3, {}, {"model": GOOD["model"]}, {"model": [], "data": None}])
def test_what_is_no_configuration_at_all_gets_a_message_too(tree):
    assert refusal(tree)


def test_all_problems_are_reported_at_once():
    sentence = refusal({**changed("model.l1_wieght", 3), "training": {"steps": 0}})
    assert "l1_weight?" in sentence
    assert "training.steps" in sentence


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.steps=7", 7),
        ("model.generator_adam.lr=1e-4", 1e-4),
        ("model.generator_adam.lr=.5", 0.5),
        ("training.compile=true", True),
        ("training.ema_decay=null", None),
        ("training.ema_decay=0.999", 0.999),
        ("training.threads=auto", "auto"),
        ("training.threads=3", 3),
        ("model.adversarial=least-squares", "least-squares"),
        ("data.crop.load=null", None),
        ("data.crop.flip=no", False),
        ("data.pairs.source=a=b", "a=b"),
        ("data.pairs.source='2020'", "2020"),
    ],
)
def test_one_setting_can_be_changed_whatever_its_type(override, value):
    found = load_experiment("pix2pix", [override])
    for key in override.split("=")[0].split("."):
        found = getattr(found, key)
    assert found == value
    assert type(found) is type(value)


def test_later_overrides_win():
    assert load_experiment("pix2pix", ["training.steps=7", "training.steps=8"]).training.steps == 8


def generator_of(experiment: Experiment) -> UNetConfig | ResNetConfig:
    assert isinstance(experiment.model, Pix2PixConfig)
    return experiment.model.generator


def test_another_kind_of_section_forgets_the_keys_of_the_old_one(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(changed("model.generator", {"name": "resnet", "blocks": 2, "width": 5})))
    generator = generator_of(load_experiment(str(path), ["model.generator.name=unet", "model.generator.depth=3"]))
    assert isinstance(generator, UNetConfig)
    assert (generator.name, generator.depth, generator.width) == ("unet", 3, 64)
    same = generator_of(load_experiment(str(path), ["model.generator.name=resnet"]))
    assert isinstance(same, ResNetConfig)
    assert (same.name, same.blocks, same.width) == ("resnet", 2, 5)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps", "expected section.key=value"),
        ("=3", "expected section.key=value"),
        ("training.step=3", "`set` training.step=3: unknown; did you mean steps?"),
        ("training.lr=3", "`set` training.lr=3: unknown; did you mean model.generator_adam.lr?"),
        ("batch_size=4", "`set` batch_size=4: names no section; did you mean training.batch_size=4?"),
        ("batch_size", "`set` batch_size: expected section.key=value; did you mean training.batch_size=…?"),
        ("training.steps=many", "`set` training.steps=many: expected a whole number, found 'many'"),
        ("data.crop={size: x}", "`set` data.crop={size: x}: data.crop.size: expected a whole number, found 'x'"),
        ("data.kind=idx", "`set` data.kind=idx: model pix2pix cannot learn from data of the kind idx"),
        ("model.channels_in=1", "`set` model.channels_in=1: model.channels_in is 1, and the data's pictures have 3"),
        ("data.kind.part=3", "kind is a value and has no parts"),
        ("training=3", "training"),
        ("training..steps=3", "training"),
    ],
)
def test_an_invalid_override_gets_one_sentence(override, words):
    with pytest.raises(UserError) as caught:
        load_experiment("pix2pix", [override])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"model: [", b"\xff\xfe\x00", b"just words", b"", b"a: b: c"])
def test_a_file_that_is_not_yaml_gets_one_sentence_with_its_name(tmp_path: Path, content: bytes):
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"my\.yaml: ") as caught:
        load_experiment(str(path))
    assert "\n" not in str(caught.value)


def test_learning_rates_fall_linearly_over_the_last_steps():
    config = load_experiment("pix2pix", ["training.steps=100", "training.decay_from=0.5"]).training
    assert [config.rate_factor(step) for step in (0, 50, 75, 99, 100, 120)] == pytest.approx([1, 1, 0.5, 0.02, 0, 0])
    constant = load_experiment("pix2pix", ["training.steps=100"]).training
    assert [constant.rate_factor(step) for step in (0, 99, 100)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["data.crop.size=100"],
            "data.crop.size is 100, and a U-Net of depth 8 needs multiples of 256 pixels: "
            "set data.crop.size=128 model.generator.depth=7 or model.generator.depth=2",
        ),
        (
            ["data.crop.size=6", "model.generator.name=resnet"],
            "6, and a ResNet needs multiples of 4 from 8 on, in pixels",
        ),
        (
            ["data.crop.size=16", "model.generator.depth=4", "model.discriminator.layers=3"],
            "16, and a discriminator of 3 layers needs 24 or more pixels",
        ),
    ],
)
def test_a_crop_that_the_networks_cannot_take_is_refused_before_anything_is_built(overrides, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        load_experiment("pix2pix", overrides)


@pytest.mark.parametrize("name", ["2020", "my: labels", "1e3 trees"])
def test_a_folder_may_have_any_name(name):
    experiment = load_experiment("pix2pix", [f"data.pairs.target={name}"])
    assert isinstance(experiment.data, PairedConfig)
    assert isinstance(experiment.data.pairs, PairFolders)
    assert experiment.data.pairs.target == name


@pytest.mark.parametrize(
    ("recipe", "overrides", "sentence"),
    [
        ("pix2pix", ["data.kind=idx"], "model pix2pix cannot learn from data of the kind idx; set data.kind to paired"),
        ("gan", ["data.kind=unpaired"], "set data.kind to pictures or idx or points"),
        ("gan", ["data.kind=idx"], "model.channels is 3, and the data's pictures have 1; set model.channels=1"),
        (
            "gan",
            ["data.kind=idx", "model.channels=1"],
            "data.size is 28, and model.size is 64 pixels: set data.size=64 or model.size=28",
        ),
        ("gan", ["data.kind=points", "model.channels=2"], "the size of the data is 1, and model.size is 64 pixels"),
    ],
)
def test_data_that_do_not_suit_the_model_are_answered_with_what_to_set(recipe, overrides, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        load_experiment(recipe, overrides)


def test_a_key_that_is_there_twice_is_refused_with_its_lines(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {name: gan}\ndata:\n  kind: pictures\ntraining:\n  steps: 5\n  steps: 7\n", "utf-8")
    with pytest.raises(UserError, match=r"mine\.yaml: steps is set twice, in lines 5 and 6; remove one of them"):
        load_experiment(recipe)
    with pytest.raises(UserError, match=r"data\.crop={size: 8, size: 9}: size is set twice, in lines 1 and 1"):
        load_experiment("gan", ["data.crop={size: 8, size: 9}"])


def test_an_error_names_the_recipe_and_no_file_of_the_program():
    with pytest.raises(UserError) as caught:
        load_experiment("pix2pix", ["data.pairs.kind=side-by-side", "data.crop.size=100"])
    assert str(caught.value).startswith("`set` data.crop.size=100: ")
    assert "/" not in str(caught.value)


@pytest.mark.parametrize("value", ["data.picture_channels=4", "model.channels=4"])
def test_channels_that_differ_are_answered_with_both_ways(value):
    with pytest.raises(UserError, match=r"set model\.channels=\d or data\.picture_channels=\d"):
        load_experiment("gan", [value])
