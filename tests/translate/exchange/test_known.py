"""The catalogue: published checkpoints are named with sources, and what is listed is what is there."""

import datetime
import hashlib
import json
import re
from pathlib import Path

import pytest
import torch

from datasets.errors import UserError
from translate.exchange import known as catalogue
from translate.exchange.importing import import_model
from translate.exchange.known import FILE, find_known, known_checkpoints
from translate.exchange.openmodeldb import describe_openmodeldb
from translate.inference.model_file import read_card
from translate.inference.shipped import builtin_models


def test_every_known_checkpoint_has_all_that_is_needed() -> None:
    checkpoints = known_checkpoints()
    assert len({known.name for known in checkpoints}) == len(checkpoints) > 30
    for known in checkpoints:
        assert all((known.file, known.use, known.architecture, known.project, known.licence, known.stated_in)), known
        assert re.fullmatch(r"https?://\S+", known.where), known
        assert re.fullmatch(r"[0-9a-f]{64}|", known.sha256), known
        assert known.scale in (1, 2, 3, 4), known
        assert known.licence == "unknown" or re.fullmatch(r"[A-Z][\w.-]+", known.licence), known
    assert len({known.sha256 for known in checkpoints if known.sha256}) == sum(bool(one.sha256) for one in checkpoints)


def test_a_known_file_brings_its_licence(tmp_path: Path, fill, monkeypatch: pytest.MonkeyPatch) -> None:
    convs = {"conv_first": (3, 8), "conv_last": (8, 3)} | dict.fromkeys(
        ("conv_body", "conv_up1", "conv_up2", "conv_hr"), (8, 8)
    )
    for dense in (1, 2, 3):
        convs |= {f"body.0.rdb{dense}.conv{conv + 1}": (8 + 4 * conv, 4 if conv < 4 else 8) for conv in range(5)}
    shapes = {f"{name}.weight": (after, before, 3, 3) for name, (before, after) in convs.items()}
    biases = {f"{name}.bias": (after,) for name, (_, after) in convs.items()}
    torch.save({"params": fill({**shapes, **biases})}, tmp_path / "a.pth")
    card = read_card(import_model(tmp_path / "a.pth"))
    assert (card.licence, card.origin and card.origin.source) == ("", "")
    digest = hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()
    text = FILE.read_text().replace(known_checkpoints()[0].sha256, digest)
    (tmp_path / "known.csv").write_text(text)
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "known.csv")
    known_checkpoints.cache_clear()
    try:
        assert find_known(digest) == known_checkpoints()[0]
        card = read_card(import_model(tmp_path / "a.pth"))
        assert card.origin is not None
        assert (card.licence, card.origin.source) == ("BSD-3-Clause", known_checkpoints()[0].where)
        assert read_card(import_model(tmp_path / "a.pth", licence="MIT")).licence == "MIT"
    finally:
        known_checkpoints.cache_clear()


def test_the_commands_list_them(command, tmp_path: Path, trained: Path) -> None:
    listed = command("model", "known")
    assert listed.code == 0
    assert "realesrgan-x4plus: enlarges photographs" in listed.out
    assert "deepfillv2-places2-pt: " in listed.out
    assert "licence CC-BY-NC-4.0" in listed.out
    rows = json.loads(command("model", "known", "--json").out)
    assert [row["name"] for row in rows] == [known.name for known in known_checkpoints()]
    rows = json.loads(command("model", "list", trained, "--json").out)
    assert [row["from"] for row in rows] == ["shipped"] * len(builtin_models()) + ["folder"] * 2
    row = next(row for row in rows if row["model"] == "upscale-x3")
    assert (row["scale"], row["use"], row["licence"]) == (3, "enlarges pictures 3 times", "CC-BY-SA-4.0")
    assert row["sha256"] == hashlib.sha256(builtin_models()["upscale-x3"].read_bytes()).hexdigest()
    assert row["bytes"] == builtin_models()["upscale-x3"].stat().st_size


def test_a_model_of_ones_own_in_the_form_of_openmodeldb(trained: Path, command) -> None:
    path = builtin_models()["upscale-x4"]
    described = describe_openmodeldb(path, datetime.date(2026, 1, 2))
    assert described["architecture"] in ("compact", "span")
    assert (described["name"], described["scale"], described["date"]) == ("upscale-x4", 4, "2026-01-02")
    assert (described["license"], described["inputChannels"], described["outputChannels"]) == ("CC-BY-SA-4.0", 3, 3)
    assert described["resources"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError, match="fills holes in pictures; OpenModelDB lists models that enlarge or restore"):
        describe_openmodeldb(builtin_models()["inpaint"])
    ended = command("model", "info", trained, "--openmodeldb")
    assert ended.code == 0
    assert json.loads(ended.out)["architecture"] == "unet"
    assert json.loads(ended.out)["license"] is None
