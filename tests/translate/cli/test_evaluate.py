"""`translate eval` as a user sees it: a table or one JSON document, and exit codes."""

import json

from PIL import Image


def test_folders_are_measured_and_compared(command, tmp_path):
    for folder, level in (("ref", 100), ("near", 110), ("far", 160)):
        (tmp_path / folder).mkdir()
        for index in range(3):
            Image.new("RGB", (24, 24), (level + index, level, level)).save(tmp_path / folder / f"{index}.png")
    reports = {name: tmp_path / f"{name}.json" for name in ("near", "far")}
    for name, path in reports.items():
        arguments = ("eval", "folders", tmp_path / name, tmp_path / "ref", "--metrics", "l1,psnr")
        ended = command(*arguments, "--out", path)
        assert ended.code == 0
        assert "psnr_rgb" in ended.out
        assert "higher is better" in ended.out
        assert "reference formats PNG" in ended.out
        document = json.loads(command(*arguments, "--json").out)
        assert document == json.loads(path.read_text(encoding="utf-8"))
    ended = command("eval", "compare", reports["near"], reports["far"])
    assert ended.code == 0
    assert "first is better" in ended.out
    assert json.loads(command("eval", "compare", *reports.values(), "--json").out)["l1"]["winner"] == "first"


def test_unlike_protocols_are_refused(command, tmp_path):
    for folder in ("ref", "out"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (24, 24), "red").save(tmp_path / folder / "a.png")
    for crop in (0, 4):
        arguments = (tmp_path / "out", tmp_path / "ref", "--metrics", "l1", "--crop", crop)
        assert command("eval", "folders", *arguments, "--out", tmp_path / f"{crop}.json").code == 0
    ended = command("eval", "compare", tmp_path / "0.json", tmp_path / "4.json")
    assert ended.code == 2
    assert "crop: 0 and 4 (l1)" in ended.err
    assert "choose figures that are alike with --metrics" in ended.err


def test_data_that_do_not_fit_end_with_their_exit_code(command, tmp_path):
    assert command("eval", "folders", tmp_path, tmp_path).code == 5
