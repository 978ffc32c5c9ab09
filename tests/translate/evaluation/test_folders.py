"""Folders against folders, models on their held-out samples, reports and their comparison."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.codecs.images import Picture
from datasets.errors import DataError, OptionError, UserError
from translate.evaluation.comparison import compare_reports
from translate.evaluation.folders import evaluate_folders, to_rgb
from translate.evaluation.metrics.report import Figure, Report, bootstrap_mean, read_report
from translate.evaluation.models import evaluate_model
from translate.experiment import load_experiment
from translate.inference.model_file import Card, load_network, model_path, save_model

QUICK = ("l1", "psnr")


def save(path: Path, level: int, size: tuple[int, int] = (20, 16), **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path, **options)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Outputs that are 51, 102 and 0 levels brighter than their references."""
    for name, reference, difference in (("a", 20, 51), ("b", 100, 102), ("in/c", 40, 0)):
        save(tmp_path / "out" / f"{name}.png", reference + difference)
        save(tmp_path / "ref" / f"{name}.bmp", reference)
    return tmp_path / "out", tmp_path / "ref"


def test_pictures_are_matched_by_name_and_averaged(folders):
    report = evaluate_folders(*folders, metrics=QUICK)
    assert {name: metrics["l1"] for name, metrics in report.pictures.items()} == pytest.approx(
        {"a": 0.2, "b": 0.4, "in/c": 0}
    )
    figure = report.figures["l1"]
    assert figure.value == pytest.approx(0.2)
    assert figure.interval is not None
    assert 0 <= figure.interval[0] < 0.2 < figure.interval[1] <= 0.4 + 1e-6
    assert figure.better == "lower"
    assert {key: figure.protocol[key] for key in ("pictures", "output_formats", "reference_formats", "crop")} == {
        "pictures": 3,
        "output_formats": "PNG",
        "reference_formats": "BMP",
        "crop": 0,
    }
    assert "reference_set" in figure.protocol


def test_a_contact_sheet_is_no_output(folders):
    save(folders[0] / "contact-sheet.png", 0)
    assert len(evaluate_folders(*folders, metrics=QUICK).pictures) == 3


def test_unlike_names_are_named(folders):
    (folders[0] / "a.png").rename(folders[0] / "other.png")
    with pytest.raises(DataError, match=r"2 pairs of equal names, and 1 picture only in .*out \(other.png\)") as raised:
        evaluate_folders(*folders)
    assert "ref (a.bmp)" in str(raised.value)


def test_no_common_name_is_refused(folders, tmp_path):
    save(tmp_path / "elsewhere" / "z.png", 0)
    with pytest.raises(DataError, match=r"no picture in .* has the name of one in"):
        evaluate_folders(tmp_path / "elsewhere", folders[1], metrics=QUICK)


def test_unlike_sizes_are_named(folders):
    save(folders[0] / "b.png", 0, (40, 32))
    with pytest.raises(DataError, match=r"1 output of 3 differ in size from their references: b.png 40x32 and 20x16"):
        evaluate_folders(*folders, metrics=QUICK)


def test_two_pictures_of_one_stem_are_refused(folders):
    save(folders[0] / "a.jpg", 0)
    with pytest.raises(DataError, match=r"a.jpg and a.png have the same stem"):
        evaluate_folders(*folders)


@pytest.mark.parametrize("one", [True, False], ids=["file", "folder"])
def test_masks_are_a_file_or_a_folder(folders, tmp_path, one):
    pixels = np.zeros((16, 20), np.uint8)
    pixels[:8] = 255
    masks = tmp_path / "masks"
    for name in ("a", "b", "in/c"):
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(masks / f"{name}.png")
    report = evaluate_folders(*folders, metrics=QUICK, mask=masks / "a.png" if one else masks)
    assert report.figures["l1_hole"].value == pytest.approx(0.2)
    assert report.figures["l1_outside"].value == pytest.approx(0.2)
    assert report.figures["detail_ratio"].value == pytest.approx(1)
    if not one:
        (masks / "b.png").unlink()
        with pytest.raises(DataError, match=r"has no mask for b\.bmp"):
            evaluate_folders(*folders, mask=masks)


def test_pixels_are_eight_bits_in_colour_on_white():
    deep = Picture(np.array([[[0], [257 * 7 + 127], [65535]]], np.uint16), np.array([[65535, 65535, 0]], np.uint16))
    assert to_rgb(deep)[:, 0].tolist() == [[0, 7, 255]] * 3


def test_an_unknown_metric_is_answered(folders):
    with pytest.raises(OptionError, match="`metrics`: snr is no metric; did you mean"):
        evaluate_folders(*folders, metrics=["snr"])


def test_metrics_without_their_network_are_left_out_or_refused(folders, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (note,) = evaluate_folders(*folders).notes[:1]
    assert note.startswith("lpips, fid, kid, is, precision-recall, density-coverage left out: the weights")
    monkeypatch.setattr("urllib.request.urlopen", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    monkeypatch.setattr("torch.hub.urlopen", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(UserError, match=r"the weights of AlexNet are not at .* and cannot be downloaded: give a copy"):
        evaluate_folders(*folders, metrics=["lpips"])


def test_a_report_survives_json(folders, tmp_path):
    report = evaluate_folders(*folders, metrics=QUICK)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_document()), encoding="utf-8")
    assert read_report(path) == report
    for content in ("[]", "{}", "nothing", '{"figures": {"l1": 3}}'):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match="is not a report"):
            read_report(path)


def report_of(values: dict[str, float], **protocol: Any) -> Report:
    mean = sum(values.values()) / len(values)
    figure = Figure(mean, "lower", {"crop": 0, **protocol})
    return Report("", {"l1": figure}, {name: {"l1": value} for name, value in values.items()})


def test_alike_protocols_are_compared_picture_by_picture():
    rng = np.random.default_rng(0)
    first = {str(index): float(value) for index, value in enumerate(rng.uniform(0, 1, 50))}
    second = {name: value + 0.01 + 0.001 * float(rng.normal()) for name, value in first.items()}
    difference = compare_reports(report_of(first), report_of(second))["l1"]
    assert difference.interval == pytest.approx((0.01, 0.01), abs=1e-3)
    assert difference.winner == "first"
    assert compare_reports(report_of(first), report_of(first))["l1"].winner == ""


def test_unlike_protocols_are_refused_by_what_differs():
    one, other = report_of({"a": 1.0}), report_of({"a": 1.0}, crop=4, resizer="bicubic")
    with pytest.raises(UserError, match=r"crop: 0 and 4 \(l1\); resizer: none and bicubic \(l1\)"):
        compare_reports(one, other)
    with pytest.raises(UserError, match="ssim is in both reports; they have l1 in one, l1 in the other"):
        compare_reports(one, one, ["ssim"])


def test_the_bootstrap_covers_the_mean_of_normal_values():
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.normal(size=40), seed) for seed in range(60)]
    covered = sum(interval is not None and interval[0] <= 0 <= interval[1] for interval in intervals)
    assert covered >= 52  # of 60: nominally 57, and percentile intervals are a little short
    assert bootstrap_mean(np.array([1.0])) is None


def test_a_model_is_measured_on_what_its_training_held_out(trained, photos):
    report = evaluate_model(trained, photos, metrics=QUICK)
    _, card = load_network(model_path(trained))
    recorded = {name: card.metrics[name] for name in QUICK}  # by the training, of unrounded pictures
    assert {name: figure.value for name, figure in report.figures.items() if name in QUICK} == pytest.approx(
        {"l1": recorded["l1"]}, abs=1e-3
    )
    assert report.figures["psnr_rgb"].value == pytest.approx(recorded["psnr"], abs=0.05)
    protocol = report.figures["l1"].protocol
    assert (protocol["pictures"], protocol["size"], protocol["crop"]) == (2, 16, 0)


def test_a_sampler_and_an_unpaired_translator_are_compared_as_sets(photos, tmp_path, smaller):
    for recipe, data in (("gan", photos), ("cyclegan", tmp_path / "animals")):
        if recipe == "cyclegan":
            for name in "AB":
                shutil.copytree(photos, data / name)
        experiment = load_experiment(recipe, [*smaller(recipe), "data.validation_fraction=0.5"])
        opened = experiment.data.open(data)
        experiment = experiment.adapt_to(opened)
        model = tmp_path / f"{recipe}.safetensors"
        save_model(model, experiment.model.translator(), Card(experiment=experiment, step=1, trained_size=32))
        to = "B" if recipe == "cyclegan" else None
        report = evaluate_model(model, data, metrics=["neighbours"], to=to)
        assert set(report.figures) == {"nearest_ratio"}
        with pytest.raises(UserError, match="have no references of their own, which psnr need"):
            evaluate_model(model, data, metrics=["psnr"], to=to)
