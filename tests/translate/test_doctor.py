"""The doctor's findings are of this machine, come as they are found, and say what to type."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from translate import doctor
from translate.hardware import Numerics, native_bfloat16


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SIZE", 32)  # the real networks, on a thumbnail
    monkeypatch.setattr(doctor, "DEPTH", 5)
    monkeypatch.setattr(doctor, "ROUNDS", 1)


@pytest.mark.usefixtures("quick")
def test_the_doctor_measures_and_says_what_auto_will_choose() -> None:
    findings = dict(doctor.examine_machine("cpu"))
    assert findings["packages"]["torch"] == torch.__version__.split("+")[0]
    assert "cpu" in findings["devices"]
    precisions = ("fp32", "bf16") if native_bfloat16(torch.device("cpu")) else ("fp32",)
    for network in ("U-Net", "ResNet"):
        times = findings[f"milliseconds a picture of 32x32, {network} on cpu"]
        assert set(times) == {f"{p} {layout}" for p in precisions for layout in ("contiguous", "channels_last")}
        assert all(isinstance(value, float) and value > 0 for value in times.values())
    assert findings["auto"]["training precision"].split(":")[0] in ("fp32", "bf16")
    assert findings["free memory in GiB"] > 0.1


@pytest.mark.usefixtures("quick")
def test_all_but_the_speeds_is_said_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_measure_speeds", lambda *_: pytest.fail("measured already"))
    titles: list[str] = []
    with pytest.raises(pytest.fail.Exception):
        titles += (title for title, _ in doctor.examine_machine("cpu"))
    findings = doctor.examine_machine("cpu")
    titles = [next(findings)[0] for _ in range(11)]
    assert titles[-1] == "auto"


def test_a_slow_machine_does_not_measure_what_it_only_emulates(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 4))  # every question takes four seconds
    monkeypatch.setattr(doctor, "native_bfloat16", lambda device: False)
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    runs: list[str] = []

    def take_four_seconds(network: object, numerics: Numerics, device: torch.device) -> float:
        runs.append(numerics.precision)
        return 4.0

    monkeypatch.setattr(doctor, "_time", take_four_seconds)
    assert doctor._measure_speeds(torch.nn.Identity(), torch.device("cpu")) == {
        "fp32 contiguous": 4000.0,
        "fp32 channels_last": 4000.0,
    }
    assert runs == ["fp32"] * 6  # to warm up, and two rounds of three


def test_the_extras_are_those_that_can_be_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        name: tuple(Requirement(line).name for line in lines)
        for name, lines in project["optional-dependencies"].items()
        if name != "dev"
    }
    assert extras == doctor.EXTRAS


def test_an_extra_is_there_or_what_to_type_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"imagecodecs": "2026.3.6", "lpips": "0.1.4"}
    monkeypatch.setattr(doctor, "_version", lambda name: versions.get(name, "missing"))
    extras = doctor._list_extras()
    assert extras["codecs"] == "imagecodecs 2026.3.6"
    assert extras["heic"] == "missing: pi-heif; type `pip install pi-heif`"
    assert extras["judge"].endswith("type `pip install imagehash torch-fidelity torchmetrics`")


OTHER_BUILD = """
import sys
sys.path.insert(0, sys.argv[1])
from translate import doctor
print("\\n".join(doctor._find_advice()))
"""


def test_a_torchvision_of_another_build_is_named(tmp_path: Path) -> None:
    """As beside a build of torch from another place: importing it raises what torch says of an unknown operator."""
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    command = [sys.executable, "-c", OTHER_BUILD, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "(operator torchvision::nms does not exist)" in said
    assert "install both from one place: type `pip install --force-reinstall torch torchvision" in said


def advice(monkeypatch: pytest.MonkeyPatch, *, gpu: str | None, **builds: str | None) -> str:
    monkeypatch.setattr(doctor, "_find_gpu", lambda: gpu)
    monkeypatch.setattr(doctor, "_list_devices", lambda: {"cpu": "works"})
    monkeypatch.setattr(doctor, "_torchvision_problem", lambda: None)
    monkeypatch.setattr(doctor, "_version", lambda name: "5.0" if name == "opencv-python" else "missing")
    for name in ("cuda", "hip"):
        monkeypatch.setattr(torch.version, name, builds.get(name))
    return " ".join(doctor._find_advice())


def test_a_gpu_beside_a_build_for_cpus_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    found = advice(monkeypatch, gpu="NVIDIA")
    assert found == (
        "an NVIDIA GPU lies idle, since this torch is not built for it: type `pip install --force-reinstall torch "
        "torchvision --index-url https://download.pytorch.org/whl/cu130`"
    )
    assert "rocm" in advice(monkeypatch, gpu="AMD", cuda="13.2")
    assert advice(monkeypatch, gpu=None) == ""


def test_a_build_for_gpus_without_one_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    found = advice(monkeypatch, gpu=None, cuda="13.2")
    assert "there is no GPU here" in found
    assert found.endswith("--index-url https://download.pytorch.org/whl/cpu`")


def test_an_old_driver_says_so_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by ..."

    def init() -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(torch.cuda, "init", init)
    found = advice(monkeypatch, gpu="NVIDIA", cuda="13.2")
    assert found.startswith(
        "the NVIDIA GPU does not compute: The NVIDIA driver on your system is too old (found version 11040); update"
    )


def test_any_package_of_opencv_will_do_but_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"opencv-python": "4.12.0.88"}
    monkeypatch.setattr(doctor, "_version", lambda name: versions.get(name, "missing"))
    assert doctor._list_packages()["opencv-python"] == "4.12.0.88"
    assert not any("OpenCV" in sentence for sentence in doctor._find_advice())
    versions["opencv-python-headless"] = "5.0.0.93"
    assert "pip uninstall -y opencv-python-headless opencv-python" in " ".join(doctor._find_advice())
