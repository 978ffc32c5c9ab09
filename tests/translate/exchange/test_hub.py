"""The Hub: models fetched, kept and published by the real client, on a server of the loopback address."""

import importlib.util
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from datasets.errors import UserError
from translate.exchange.hub import HubAddress, is_address, pull_model, pulled_models
from translate.exchange.hub_push import push_model
from translate.exchange.importing import imported_models
from translate.exchange.verification import verify_model
from translate.inference.model import load_model
from translate.inference.model_file import ModelError, read_card

pytest.importorskip("huggingface_hub")
# The client's own, of the library that it sends files with.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")

FILE = Path(__file__).with_name("hub_server.py")
EXACT = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture(scope="session")
def hub_server() -> Any:
    """The module of the server."""
    specification = importlib.util.spec_from_file_location("hub_server", FILE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def hub(hub_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Hub of its own, which the client is told of, without a login."""
    server = hub_server.Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere/token")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def login(hub_server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The right to write."""
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    return str(hub_server.TOKEN)


def checkpoint(fill: Callable[..., dict[str, Tensor]]) -> bytes:
    """A published RRDBNet of one block."""
    convs = {"conv_first": (3, 8)}
    for dense in (1, 2, 3):
        convs |= {f"body.0.rdb{dense}.conv{conv + 1}": (8 + 4 * conv, 4 if conv < 4 else 8) for conv in range(5)}
    convs |= dict.fromkeys(("conv_body", "conv_up1", "conv_up2", "conv_hr"), (8, 8)) | {"conv_last": (8, 3)}
    shapes: dict[str, tuple[int, ...]] = {
        f"{name}.weight": (after, before, 3, 3) for name, (before, after) in convs.items()
    }
    shapes |= {f"{name}.bias": (after,) for name, (_, after) in convs.items()}
    file = io.BytesIO()
    torch.save({"params_ema": fill(shapes)}, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf://me/model", ("me/model", None, None)),
        ("hf://me/a.model-2@v1.0", ("me/a.model-2", "v1.0", None)),
        ("hf://me/model@refs/pr/1:a/b c.pth", ("me/model", "refs/pr/1", "a/b c.pth")),
        ("hf://me/model:x@y.pth", ("me/model", None, "x@y.pth")),
    ],
)
def test_addresses_come_apart_and_together(text: str, parts: tuple[str | None, ...]) -> None:
    address = HubAddress.parse(text)
    assert (address.repository, address.revision, address.file) == parts
    assert str(address) == text
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/me/model",
        "hf://model",
        "hf://",
        "hf://a/b/c",
        "hf://a/b@",
        "hf://a/b:../c",
        "hf://a/b:/c",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"expected hf://OWNER/NAME|no path within a repository"):
        pull_model(text)
    assert is_address(text)
    with pytest.raises(ModelError, match="is on the Hub; `pull_model` fetches it"):
        load_model("hf://me/model")


def test_a_model_is_pulled_once_and_kept_for_travels(hub: Any, model_file: Path, monkeypatch) -> None:
    repository = hub.add("me/model", {"model.safetensors": model_file.read_bytes(), "README.md": b"# model"})
    first = pull_model("hf://me/model")
    assert first.read_bytes() == model_file.read_bytes()
    assert pull_model("hf://me/model") == first
    assert [path for method, path in hub.requests if method == "GET" and "resolve" in path] == [
        "/me/model/resolve/main/model.safetensors"
    ]
    (address,) = pulled_models()
    assert (address.repository, address.file) == ("me/model", "model.safetensors")
    assert address.revision == repository.tags["main"]
    assert pull_model(address) == first
    # Without a network, and where the user wants none.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert pull_model("hf://me/model") == first
    with pytest.raises(ModelError, match="hf://me/other: the Hub cannot be reached"):
        pull_model("hf://me/other")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pull_model("hf://me/model") == first
    with pytest.raises(
        ModelError, match=r"hf://me/model:other\.pth: HF_HUB_OFFLINE is set, and it was not pulled before"
    ):
        pull_model("hf://me/model:other.pth")


def test_revisions_are_told_apart(hub: Any, model_file: Path) -> None:
    repository = hub.add("me/model", {"model.safetensors": b"old"})
    repository.tags["v1"] = repository.tags["main"]
    repository.commit({"model.safetensors": model_file.read_bytes()})
    assert pull_model("hf://me/model@v1").read_bytes() == b"old"
    assert pull_model("hf://me/model").read_bytes() == model_file.read_bytes()
    with pytest.raises(ModelError, match="hf://me/model@v2: the repository has no revision v2"):
        pull_model("hf://me/model@v2")


def test_the_one_model_among_files_is_found(hub: Any) -> None:
    hub.add("me/one", {"README.md": b"", "weights/net.pth": b"x"})
    assert pull_model("hf://me/one").read_bytes() == b"x"
    hub.add("me/ncnn", {"x4.param": b"p", "x4.bin": b"b"})
    param = pull_model("hf://me/ncnn")
    assert (param.name, param.with_suffix(".bin").read_bytes()) == ("x4.param", b"b")
    hub.add("me/two", {"a.pth": b"", "b.pth": b""})
    with pytest.raises(ModelError, match=r"has several models; add one after a colon, as in hf://me/two:a\.pth"):
        pull_model("hf://me/two")
    hub.add("me/none", {"README.md": b""})
    with pytest.raises(ModelError, match=r"no file that could be a model; it has README\.md"):
        pull_model("hf://me/none")
    with pytest.raises(ModelError, match=r"has no file c\.pth; did you mean [ab]\.pth\?"):
        pull_model("hf://me/two:c.pth")


def test_what_may_not_be_read_is_a_sentence(hub: Any, hub_server: Any, monkeypatch) -> None:
    hub.add("me/private", {"a.pth": b"secret"}, private=True)
    hub.add("me/gated", {"a.pth": b"secret"}, gated=True)
    for address in ("hf://me/private", "hf://me/private:a.pth", "hf://me/missing"):
        with pytest.raises(ModelError, match=r"no such repository, or it is private: log in with `hf auth login`"):
            pull_model(address)
    with pytest.raises(ModelError, match=r"gives access on request: .* then log in with `hf auth login`"):
        pull_model("hf://me/gated:a.pth")
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    with pytest.raises(ModelError, match="the token is not valid; log in anew") as refused:
        pull_model("hf://me/private:a.pth")
    assert "hf_expired" not in str(refused.value)
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    assert pull_model("hf://me/private").read_bytes() == b"secret"
    with pytest.raises(ModelError, match="no such repository, or this login may not read it"):
        pull_model("hf://me/missing")


def test_a_name_that_the_hub_forbids(hub: Any) -> None:
    with pytest.raises(UserError, match=r"is no name that the Hub allows"):
        pull_model("hf://me/a--b..c")


def test_the_commands_run_what_is_on_the_hub(hub: Any, model_file: Path, photos: Path, tmp_path: Path, command) -> None:
    hub.add("me/model", {"model.safetensors": model_file.read_bytes()})
    ended = command("run", "hf://me/model", photos / "a.png", tmp_path / "a.png", *EXACT)
    assert ended.code == 0, ended.err
    command("run", model_file, photos / "a.png", tmp_path / "b.png", *EXACT)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    pulled = command("model", "pull", "hf://me/model")
    assert Path(pulled.out.strip()).read_bytes() == model_file.read_bytes()
    ended = command("model", "pull", "hf://me/nothing")
    assert (ended.code, ended.out) == (6, "")
    assert "hf://me/nothing: there is no such repository" in ended.err
    ended = command("run", "hf://me/model", photos, tmp_path / "out", "--best")
    assert ended.code == 6
    assert "expected a run folder" in ended.err


def test_a_published_checkpoint_on_the_hub_is_imported(hub: Any, photos: Path, tmp_path: Path, fill, command) -> None:
    hub.add("me/esrgan", {"net_g.pth": checkpoint(fill)})
    ended = command("upscale", photos / "f.png", tmp_path / "f.png", "--model", "hf://me/esrgan:net_g.pth", *EXACT)
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "f.png") as larger:
        assert larger.size == (36, 56)
    (converted,) = imported_models()
    origin = read_card(converted).origin
    assert origin is not None
    assert (origin.file, origin.source) == ("net_g.pth", "hf://me/esrgan:net_g.pth")


def test_a_run_is_pushed_with_its_card_and_comes_back(
    hub: Any, login: str, trained: Path, photos: Path, tmp_path: Path, command
) -> None:
    pushed = command("model", "push", trained, "hf://me/restorer", "--licence", "CC-BY-4.0", "--dataset", "me/photos")
    assert pushed.code == 0, pushed.err
    repository = hub.repositories["me/restorer"]
    tree = repository.tree("main")
    samples = [name for name in tree if name.startswith("samples/")]
    assert set(tree) == {"model.safetensors", "README.md", *samples}
    assert samples
    assert all(Image.open(io.BytesIO(tree[name])).size for name in samples)
    assert pushed.out.strip() == f"{hub.url}/me/restorer/commit/{repository.tags['main']}"
    _, head, text = tree["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(head) == {
        "license": "cc-by-4.0",
        "library_name": "translate-images",
        "pipeline_tag": "image-to-image",
        "tags": ["translate-images", "pix2pix"],
        "datasets": ["me/photos"],
        "metrics": ["l1", "psnr", "ssim"],
    }
    assert "translate run hf://me/restorer photos translated" in text
    assert all(f"]({name})" in text for name in samples)
    for secret in (login, str(trained), str(Path.home())):
        assert secret not in tree["README.md"].decode() + pushed.out + pushed.err
        assert secret.encode() not in tree["model.safetensors"]
    # What comes back is the same model, with figures to verify it by.
    back = pull_model("hf://me/restorer")
    assert read_card(back).licence == "CC-BY-4.0"
    assert verify_model(back).difference == 0
    command("run", "hf://me/restorer", photos / "a.png", tmp_path / "a.png", *EXACT)
    command("run", trained, photos / "a.png", tmp_path / "b.png", *EXACT)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_clients_own_reader_understands_the_card(hub: Any, login: str, model_file: Path, hub_server: Any) -> None:
    from huggingface_hub import ModelCard

    push_model("upscale-x4", "hf://me/upscaler", private=True)
    assert hub.repositories["me/upscaler"].private
    card = ModelCard(hub.repositories["me/upscaler"].tree("main")["README.md"].decode())
    assert (card.data.license, card.data.pipeline_tag) == ("cc-by-sa-4.0", "image-to-image")
    assert "super-resolution" in card.data.tags
    assert "translate upscale photos large --model hf://me/upscaler" in card.text
    push_model(model_file, "hf://me/upscaler")  # into the repository that exists
    assert ModelCard(hub.repositories["me/upscaler"].tree("main")["README.md"].decode()).data.license == "unknown"


def test_pushing_has_sentences_too(hub: Any, hub_server: Any, model_file: Path, tmp_path: Path, command, monkeypatch):
    ended = command("model", "push", model_file, "hf://me/model")
    assert ended.code == 6
    assert "hf://me/model: needs a login: run `hf auth login`, or set HF_TOKEN" in ended.err
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    with pytest.raises(UserError, match="a model is published in a repository, as hf://me/model"):
        push_model(model_file, "hf://me/model@v1")
    damaged = bytearray(model_file.read_bytes())
    damaged[-3] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(damaged)
    with pytest.raises(ModelError, match="is damaged"):
        push_model(tmp_path / "bad.safetensors", "hf://me/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="the Hub cannot be reached; check the network, and HF_ENDPOINT"):
        push_model(model_file, "hf://me/model")
    assert not hub.repositories


def test_without_the_client_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'translate-images\[hub\]'"):
        pull_model("hf://me/model")
