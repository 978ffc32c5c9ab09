"""What a run says of its pictures while it computes them, and how it is interrupted."""

from collections.abc import Callable

import pytest
import torch

from models.contract import Translator
from translate.inference.model import Model
from translate.inference.monitor import InterruptedRunError, Monitor, PictureAtWork, TileProgress

Models = Callable[..., Model]


class Near(Translator):
    """A network that sees no neighbours, or has a norm over the whole picture."""

    channels_in = channels_out = 3
    scale = 1
    margin = 0

    def __init__(self, norms: int) -> None:
        super().__init__()
        self.global_norm = norms > 0
        self.norms = torch.nn.ModuleList(torch.nn.InstanceNorm2d(3) for _ in range(norms))

    def forward(self, image: torch.Tensor, domain: int = 0) -> torch.Tensor:
        for norm in self.norms:
            image = norm(image)
        return image


def model_of(unchanged: Models, norms: int) -> Model:
    model = unchanged()
    return Model(Near(norms).eval(), model.card, model.digest, model.device, model.numerics)


@pytest.mark.parametrize(("norms", "passes"), [(0, 1), (2, 3)])
def test_every_tile_of_every_pass_is_reported(unchanged: Models, norms: int, passes: int) -> None:
    told: list[TileProgress] = []
    model_of(unchanged, norms).run(torch.rand(1, 3, 64, 96), tile=32, report=told.append)
    counted = [tiles for tiles in told if tiles.done >= (norms > 0)]  # the norms are found with one tile more
    assert {tiles.total for tiles in counted[2:]} == {6 * passes + (norms > 0)}
    assert [tiles.done for tiles in counted][-1] == 6 * passes + (norms > 0)
    fractions = [tiles.fraction for tiles in counted[2:]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_an_interrupted_picture_is_given_up_after_the_tile(unchanged: Models) -> None:
    monitor, done = Monitor(), []
    with pytest.raises(InterruptedRunError), monitor.picture("a.png", 64 * 96) as report:

        def stop_after_two(tiles: TileProgress) -> None:
            done.append(tiles.done)
            if tiles.done == 2:
                monitor.stop()
            report(tiles)

        model_of(unchanged, 0).run(torch.rand(1, 3, 64, 96), tile=32, report=stop_after_two)
    assert done == [0, 1, 2]
    assert monitor.at_work is None
    with pytest.raises(InterruptedRunError), monitor.picture("b.png", 1):
        pass


def test_the_time_left_follows_from_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 30.0)
    picture = PictureAtWork("a.png", 12.0, started=10.0)
    assert picture.seconds_left is None
    picture.tiles, picture.reported = TileProgress(1, 4, 0.25), 28.0
    assert picture.seconds_left == 4 * 18 - 20
